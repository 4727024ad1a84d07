"""What Azure's errors mean, in words for a person: what happened, to what, and what to do."""

import json
import re
import ssl
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from edge.azureml.remedies import CODES, KINDS_OF_THINGS, QUOTA, RULES, STATUSES, FaultKind, Rule, role_for

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError

PASSING: frozenset[FaultKind] = frozenset(("throttled", "unreachable", "server"))
SAID_LENGTH = 300
"""How many characters of Azure's own words are shown."""
SIGNATURE = re.compile(r"(\bsig=)[A-Za-z0-9%+/=_-]+", re.IGNORECASE)
"""What makes a URL of Azure's storage a key to it."""
_DENIED = re.compile(
    r"client '(?P<who>[^']*)'.*?does not have authorization to perform action '(?P<action>[^']*)'", re.DOTALL
)
_DENIED_BY_AML = re.compile(r"(?:object id: (?P<who>[^)]+)\).*?)?permissions for (?P<action>Microsoft\.[\w./]+)")
_AADSTS = re.compile(r"AADSTS\d+")
_CHAIN_LINK = re.compile(r"^\s+(\w+Credential): ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Fault:
    """One line for a person; ``retry_after_s`` is Azure's own wish where it has one.

    ``rule`` names the row of :data:`edge.azureml.remedies.RULES` (and of the page of errors) that it falls under.
    """

    kind: FaultKind
    text: str
    retry_after_s: float | None = None
    rule: str = ""

    @property
    def passes(self) -> bool:
        """Whether the same may work later without anybody doing something."""
        return self.kind in PASSING


class LongWaitError(Exception):
    """Azure asks to come back after ``seconds``, which is longer than anybody waits for an answer."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Azure asks to come back in {seconds:.0f} s")
        self.seconds = seconds


def explain(error: BaseException, what: str) -> Fault | None:
    """Return what an error of Azure's packages means for ``what`` was attempted; None for an error of no such kind."""
    from azure.core import exceptions as core  # noqa: PLC0415 - only who talks to Azure has it

    if isinstance(error, LongWaitError):
        return _fault(RULES["429"], what, str(error), error.seconds)
    if isinstance(error, core.AzureError):
        return _of_azure(error, what)
    if _thrown_by_the_sdk(error):
        if isinstance(error, json.JSONDecodeError):
            return _fault(RULES["no JSON"], what, _said(error))
        return _fault(RULES["a defect of the SDK"], what, f"{type(error).__name__}: {_said(error)}")
    return None


@contextmanager
def azure_errors(what: str, raised: Callable[[Fault], Exception]) -> Iterator[None]:
    """Turn errors of Azure's packages into what ``raised`` makes of them."""
    try:
        yield
    except Exception as error:
        fault = explain(error, what)
        if fault is None:
            raise
        raise raised(fault) from error


def without_secrets(text: str) -> str:
    """Return a text without the signatures of URLs: errors of the network quote those."""
    return SIGNATURE.sub(r"\1...", text)


def _fault(rule: Rule, what: str, said: str, after_s: float | None = None, *, remedy: str = "") -> Fault:
    words = without_secrets(said).rstrip(".:; ")
    shown = words if len(words) <= SAID_LENGTH else f"{words[:SAID_LENGTH]}…"
    text = f"{what}: {rule.cause}{f' ({shown})' if shown else ''}; {remedy or rule.remedy}"
    return Fault(rule.kind, text, after_s, rule.name)


def _of_azure(error: "AzureError", what: str) -> Fault:
    from azure.core import exceptions as core  # noqa: PLC0415 - as above

    if isinstance(error, core.ClientAuthenticationError):
        return _signed_out(error, what)
    if isinstance(error, core.HttpResponseError):
        return _answered(error, what)
    if type(error).__module__.startswith("azure.ai.ml"):
        return _of_the_sdk(error, what)
    return _fault(_unreachable(error) or RULES["no connection"], what, _said(error))


def _signed_out(error: Exception, what: str) -> Fault:
    """Tell an identity that is refused from one that nobody could be asked about."""
    text = str(error)
    code = next((found for found in _AADSTS.findall(text) if found in RULES), None)
    if code:
        return _fault(RULES[code], what, code)
    if getattr(error, "response", None) is not None:
        return _answered(error, what)
    links = _CHAIN_LINK.findall(text)
    if links:
        return _fault(
            RULES["no identity"], what, f"tried: {', '.join(name.removesuffix('Credential') for name in links)}"
        )
    away = _unreachable(error)
    if away:
        return _fault(away, what, _said(error))
    unavailable = type(error).__name__ == "CredentialUnavailableError"
    return _fault(RULES["no identity" if unavailable else "401"], what, _said(error))


def _answered(error: Exception, what: str) -> Fault:
    """Explain an answer: by the codes in it, then by whether it speaks of a quota, then by its status."""
    body = _body(error)
    said = _message(body) or _said(error)
    status = int(getattr(error, "status_code", None) or 0)
    rule = _rule(status, list(_codes(error, body)), said, _path(error))
    if rule is None:
        return _fault(RULES["no JSON"], what, _said(error))
    denied = _DENIED.search(said) or _DENIED_BY_AML.search(said)
    if denied and rule.name in ("AuthorizationFailed", "403"):
        action = denied["action"].rstrip(".")
        who = denied.groupdict().get("who") or "this identity"
        remedy = f"give it the role {role_for(action)} at the workspace; a new role counts after some minutes"
        return _fault(rule, what, f"{who} may not {action}", remedy=remedy)
    return _fault(rule, what, said, _retry_after_s(error))


def _rule(status: int, codes: Iterable[str], said: str, path: str) -> Rule | None:
    known = [RULES[CODES[code.lower()]] for code in codes if code.lower() in CODES]
    if QUOTA.search(said) and status not in (401, 403, 429) and status < 500:
        return RULES["QuotaExceeded"]
    if known and not (status == 404 and known[0].name == "ResourceNotFound" and "/workspaces/" not in said):
        return known[0]
    if status == 404:
        return RULES[_absent(path)]
    if status in STATUSES:
        return RULES[STATUSES[status]]
    if status >= 500:
        return RULES["5xx"]
    return RULES["400"] if status >= 400 or codes else None


def _absent(path: str) -> str:
    """Return the rule for what an address speaks of."""
    found = re.search(r"/(?:workspaces|registries)/[^/]+/(\w+)", path, re.IGNORECASE)
    if found:
        return KINDS_OF_THINGS.get(found[1].lower(), "404")
    return "ResourceNotFound" if "/workspaces/" in path else "404"


def _of_the_sdk(error: Exception, what: str) -> Fault:
    """Explain what the SDK itself raises; often it only wraps what Azure answered."""
    for inner in _causes(error):
        if not type(inner).__module__.startswith("azure.ai.ml") and type(inner).__module__.startswith("azure."):
            wrapped = explain(inner, what)
            if wrapped is not None:
                return wrapped
    said = _said(error)
    if type(error).__name__ == "JobException":
        return _fault(RULES["JobException"], what, said)
    absent = getattr(error, "error_type", "") == "RESOURCE NOT FOUND" or re.search(r"\bnot (found|exist)", said)
    return _fault(RULES["not found by the SDK" if absent else "refused by the SDK"], what, said)


def _thrown_by_the_sdk(error: BaseException) -> bool:
    """Tell whether Azure's packages raised an error by themselves, not while they called code of ours."""
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        room = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if room == "azure":
            return True
        if room in ("edge", "training"):
            return False
    return False


def _unreachable(error: BaseException) -> Rule | None:
    """Return why nobody answered; None where somebody did."""
    from azure.core import exceptions as core  # noqa: PLC0415 - as above

    causes = [error, *_causes(error)]
    if not any(isinstance(e, (core.ServiceRequestError, core.ServiceResponseError, TimeoutError)) for e in causes):
        return None
    text = " ".join(map(str, causes))
    if any(isinstance(e, ssl.SSLCertVerificationError) for e in causes) or "CERTIFICATE_VERIFY_FAILED" in text:
        return RULES["TLS"]
    if re.search(r"resolve|name or service|getaddrinfo|name resolution", text, re.IGNORECASE):
        return RULES["DNS"]
    if "refused" in text:
        return RULES["connection refused"]
    if any(isinstance(e, TimeoutError) for e in causes) or re.search(r"timed?[ -]?out", text, re.IGNORECASE):
        return RULES["time-out"]
    return RULES["no connection"]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield what an error came from, the nearest first."""
    inner = getattr(error, "inner_exception", None) or error.__cause__ or error.__context__
    seen: list[BaseException] = [error]
    while isinstance(inner, BaseException) and inner not in seen:
        yield inner
        seen.append(inner)
        inner = getattr(inner, "inner_exception", None) or inner.__cause__ or inner.__context__


def _body(error: Exception) -> Mapping[str, Any]:
    """Return the answer's JSON; empty where it has none."""
    try:
        response: Any = getattr(error, "response", None)
        body = json.loads(response.text())
    except (AttributeError, ValueError, RuntimeError):
        return {}
    found = body.get("error", body) if isinstance(body, dict) else {}
    return found if isinstance(found, dict) else {}


def _message(body: Mapping[str, Any]) -> str:
    return " ".join(str(body.get("message") or "").split())


def _codes(error: Exception, body: Mapping[str, Any]) -> Iterator[str]:
    """Yield an answer's codes, the innermost first: they say most."""
    inner = body.get("innererror") or body.get("innerError")
    for part in [inner, *(body.get("details") or [])]:
        if isinstance(part, dict):
            yield from _codes(error, part)
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    for code in (body.get("code"), headers.get("x-ms-error-code"), getattr(error, "error_code", None)):
        if code:
            yield str(getattr(code, "value", code))


def _path(error: Exception) -> str:
    request = getattr(getattr(error, "response", None), "request", None)
    return str(getattr(request, "url", "")).partition("?")[0]


def _retry_after_s(error: Exception, now: datetime | None = None) -> float | None:
    """Return how long Azure asks to wait: seconds, a date, or milliseconds in headers of its own."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    text = str(headers.get("Retry-After") or "")
    if text:
        return _seconds(text, now or datetime.now(UTC))
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        found = _seconds(str(headers.get(name) or ""), datetime.now(UTC))
        if found is not None:
            return found / 1000
    return None


def _seconds(text: str, now: datetime) -> float | None:
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (TypeError, ValueError):
        return None


def _said(error: BaseException) -> str:
    """Return an error's first line; of the SDK's long lists what is wrong, not the heading above it."""
    listed = _listed(str(error))
    if listed:
        return listed
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    wrong = [line for line in lines if line.startswith("(x) ")]
    # azure.core writes the code in front, in brackets; the network a pair of its own object and what is wrong
    return re.sub(r"^\(\w+\) |^\(<[^>]*>, '|(?<=\))'\)$", "", (wrong or lines)[0]) if lines else type(error).__name__


def _listed(text: str) -> str:
    """Return what is wrong, where the SDK says it as JSON: ``{"errors": [{"path": …, "message": …}, …]}``."""
    try:
        errors = json.loads(text)["errors"]
        return "; ".join(f"{error.get('path') or 'it'}: {error['message']}" for error in errors)
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""
