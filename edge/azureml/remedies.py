"""What Azure's errors mean and what to do, as a table. ``docs/reference/azure-errors.md`` shows the same."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

FaultKind = Literal["denied", "signed-out", "absent", "conflict", "throttled", "unreachable", "server", "refused"]
"""Whose fault: ``denied`` and ``signed-out`` are rights and identity, ``absent`` a wrong name, ``refused`` a request
that Azure or its SDK finds wrong; ``throttled``, ``unreachable`` and ``server`` pass, and are worth another try."""

SCIENTIST = "AzureML Data Scientist"
COMPUTE_OPERATOR = "AzureML Compute Operator"
REGISTRY_USER = "AzureML Registry User"
BLOB_READER = "Storage Blob Data Reader"
BLOB_CONTRIBUTOR = "Storage Blob Data Contributor"


@dataclass(frozen=True, slots=True)
class Rule:
    """An error: ``name`` is Azure's code where it has one, else what it is called here."""

    name: str
    kind: FaultKind
    cause: str
    remedy: str


_TABLE: Mapping[FaultKind, Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "signed-out": {
            "AADSTS7000215": (
                "the client secret is wrong",
                "set AZURE_CLIENT_SECRET to the secret's value, not its id",
            ),
            "AADSTS7000222": ("the client secret has expired", "make a new one for the application in Entra ID"),
            "AADSTS700027": (
                "the application does not know this certificate",
                "upload the certificate to the application in Entra ID, or renew it",
            ),
            "AADSTS700024": ("the sign-in is outside its time", "set this machine's clock"),
            "AADSTS700016": ("this tenant has no such application", "correct client id and tenant"),
            "AADSTS90002": ("there is no such tenant", "correct the tenant"),
            "AADSTS50076": ("the tenant asks for a second factor", "sign in again with `az login --tenant TENANT`"),
            "AADSTS700082": ("the sign-in has expired", "sign in again with `az login`"),
            "no identity": (
                "no credential is set up here",
                "set one up and name it; `automl-train azure login-check` shows what was tried",
            ),
            "InvalidAuthenticationTokenTenant": (
                "the identity belongs to another tenant than the subscription",
                "sign in to the subscription's tenant: `az login --tenant TENANT`, or correct the tenant",
            ),
            "ExpiredAuthenticationToken": ("the token has expired", "set this machine's clock; sign in again"),
            "InvalidAuthenticationToken": (
                "Azure does not accept the token",
                "check cloud, tenant and this machine's clock; sign in again",
            ),
            "401": ("Azure does not accept the identity", "`automl-train azure login-check` shows who asks"),
        },
        "denied": {
            "AuthorizationFailed": (
                "a right is missing",
                "give the role that is named, at the workspace; a new role counts after some minutes",
            ),
            "LinkedAuthorizationFailed": (
                "a right on a resource that is used by this one is missing",
                "give the right that Azure names, there",
            ),
            "RequestDisallowedByPolicy": (
                "a policy of the subscription forbids this",
                "ask whoever owns the policy that Azure names",
            ),
            "AuthorizationPermissionMismatch": (
                "no right to the blobs; rights to the workspace do not count there",
                f"give the role {BLOB_READER} ({BLOB_CONTRIBUTOR} to write) on the storage account",
            ),
            "AuthorizationFailure": (
                "the storage account's network rules shut this machine out",
                "allow its address or network in the storage account's Networking, or use a private endpoint",
            ),
            "KeyBasedAuthenticationNotPermitted": (
                "the storage account takes no keys, and the datastore has one",
                f"open the datastores by identity, and give the role {BLOB_CONTRIBUTOR} on the storage account",
            ),
            "AuthenticationFailed": (
                "the storage account refuses the signature: a changed key, an expired SAS, or a wrong clock",
                "set this machine's clock; renew the datastore's key (`az ml workspace sync-keys`)",
            ),
            "PublicAccessNotPermitted": (
                "the storage account wants to know who asks",
                "open the datastores by key or by identity",
            ),
            "403": ("Azure forbids this", "`automl-train azure login-check` shows which rights are missing"),
        },
        "absent": {
            "SubscriptionNotFound": (
                "there is no such subscription, or this identity may not see it",
                "correct the subscription; `az account list` shows yours",
            ),
            "ResourceGroupNotFound": (
                "there is no such resource group in this subscription",
                "correct resource group and subscription",
            ),
            "ResourceNotFound": (
                "there is no such workspace in this resource group",
                "correct workspace and resource group; `az ml workspace list` shows yours",
            ),
            "no such model": (
                "there is no such model or version",
                "correct name and version; the studio's page Models lists them",
            ),
            "no such data": (
                "there is no such data asset or version",
                "correct name and version; the studio's page Data lists them",
            ),
            "no such job": (
                "there is no such job",
                "correct its name, which the studio shows as Name, not as Display name",
            ),
            "no such compute": (
                "there is no such compute",
                "`automl-train azure compute list` shows what there is; `compute ensure` makes one",
            ),
            "no such datastore": ("there is no such datastore", "correct its name; the studio's page Data lists them"),
            "no such endpoint": (
                "there is no such endpoint or deployment",
                "correct its name; `automl-train azure deploy` makes one",
            ),
            "ContainerNotFound": (
                "the datastore's container is gone",
                "make it again in the storage account, under the same name",
            ),
            "BlobNotFound": (
                "a file is gone from the storage account",
                "register the model again, or fetch the job's files anew",
            ),
            "404": ("there is no such thing", "correct the name"),
            "not found by the SDK": ("there is no such thing in the workspace", "correct name and version"),
        },
        "conflict": {
            "409": (
                "it exists already, or is being changed",
                "use another name or version, or try again when the change is over",
            ),
        },
        "refused": {
            "QuotaExceeded": (
                "the subscription's quota is used up",
                "ask for more cores of that family (studio: Quota); or another size, fewer nodes, low priority",
            ),
            "MissingSubscriptionRegistration": (
                "the subscription does not know Azure Machine Learning yet",
                "`az provider register --namespace Microsoft.MachineLearningServices`",
            ),
            "400": ("Azure finds the request wrong", "correct what it names"),
            "refused by the SDK": ("the SDK finds the request wrong", "correct what it names"),
            "JobException": ("the job did not end well", "the studio's page of the job has its logs"),
            "a defect of the SDK": (
                "azure-ai-ml failed on its own",
                "check the values that were passed; look whether a newer azure-ai-ml has it mended",
            ),
        },
        "throttled": {
            "429": ("Azure asks for fewer requests", "wait as long as it says, then try again"),
            "ServerBusy": ("the storage account is busy", "try again in a minute"),
        },
        "server": {
            "5xx": ("Azure has a fault of its own", "try again; if it lasts, see status.azure.com"),
        },
        "unreachable": {
            "no JSON": (
                "what answers is not Azure: a proxy or a sign-in page of the network",
                "look at HTTPS_PROXY, NO_PROXY and the network",
            ),
            "TLS": (
                "the certificate of what answers is not trusted",
                "where a proxy signs for others, REQUESTS_CA_BUNDLE must name a file with its authority; set the clock",
            ),
            "DNS": (
                "the name cannot be resolved",
                "look at the network and its name server, at cloud and workspace",
            ),
            "connection refused": ("nothing listens there", "look at the network, a firewall, HTTPS_PROXY"),
            "time-out": ("Azure did not answer in time", "look at the network and a firewall; try again"),
            "no connection": ("Azure cannot be reached", "look at the network; try again"),
        },
    }
)
RULES: Mapping[str, Rule] = MappingProxyType(
    {name: Rule(name, kind, *words) for kind, rules in _TABLE.items() for name, words in rules.items()}
)
"""All of them, by name."""

CODES: Mapping[str, str] = MappingProxyType(
    {
        **{name.lower(): name for name in RULES},
        "invalidsubscriptionid": "SubscriptionNotFound",
        "parentresourcenotfound": "ResourceNotFound",
        "insufficientaccountpermissions": "AuthorizationPermissionMismatch",
        "authorizationprotocolmismatch": "AuthorizationFailure",
        "authorizationsourceipmismatch": "AuthorizationFailure",
        "publicnetworkaccessdisabled": "AuthorizationFailure",
        "invalidauthenticationinfo": "AuthenticationFailed",
        "clustercorequotareached": "QuotaExceeded",
        "outofquota": "QuotaExceeded",
        "toomanyrequests": "429",
        "operationtimedout": "ServerBusy",
    }
)
"""Azure's codes in small letters, and the rule that each falls under."""
QUOTA = re.compile(r"\bquota\b", re.IGNORECASE)
"""Azure has many codes for a quota that is used up, ``BadRequest`` among them; the text always says it."""
STATUSES: Mapping[int, str] = MappingProxyType({status: str(status) for status in (400, 401, 403, 404, 409, 429)})
KINDS_OF_THINGS: Mapping[str, str] = MappingProxyType(
    {
        "models": "no such model",
        "data": "no such data",
        "jobs": "no such job",
        "runs": "no such job",
        "computes": "no such compute",
        "datastores": "no such datastore",
        "onlineendpoints": "no such endpoint",
    }
)
"""What an address below a workspace speaks of, and the rule for one that is not there."""


def role_for(action: str) -> str:
    """Return the smallest built-in role that allows an action of ARM or of storage."""
    lowered = action.lower()
    if lowered.startswith("microsoft.storage/"):
        return BLOB_READER if lowered.endswith("/read") else BLOB_CONTRIBUTOR
    if "/registries/" in lowered:
        return REGISTRY_USER
    if re.search(r"/computes/(.*/)?(write|delete)$", lowered):
        return COMPUTE_OPERATOR
    if lowered.startswith("microsoft.machinelearningservices/workspaces/"):
        return SCIENTIST
    return "Contributor"
