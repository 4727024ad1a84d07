"""Certificates for HTTPS, made by the openssl command as an administrator would."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """A self-signed certificate for 127.0.0.1 and localhost, and its key."""

    cert: Path
    key: Path

    def put_in_place_of(self, other: "Pair") -> None:
        """Replace another pair's files, the certificate first, as a renewal does."""
        for mine, theirs in ((self.cert, other.cert), (self.key, other.key)):
            partial = theirs.with_name(f"{theirs.name}.new")
            partial.write_bytes(mine.read_bytes())
            partial.chmod(0o600)
            partial.replace(theirs)


def make_pair(folder: Path, name: str = "edge", *, days: int = 30, until: str | None = None) -> Pair:
    """Make a pair that holds for ``days``, or ``until`` a time such as 20200101000000Z."""
    folder.mkdir(parents=True, exist_ok=True)
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *subject]
    openssl(*made, "-days", str(days), "-keyout", str(key), "-out", str(cert))
    if until is not None:
        _date(folder, cert, key, until)
    key.chmod(0o600)
    return Pair(cert, key)


def _date(folder: Path, cert: Path, key: Path, until: str) -> None:
    """Sign the certificate anew with an end of its own; only ``openssl ca`` takes one in the past."""
    request = folder / "request.csr"
    openssl(
        "x509", "-x509toreq", "-in", str(cert), "-signkey", str(key), "-out", str(request), "-copy_extensions", "copy"
    )
    sign_until(until, request, cert, "-selfsign", "-keyfile", str(key))


def sign_until(until: str, request: Path, cert: Path, *authority: str) -> None:
    """Sign a request as openssl's ``ca`` does with the options ``authority``; the result may have ended already."""
    folder = cert.parent
    (folder / "index").write_text("")
    (folder / "serial").write_text("01\n")
    (folder / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=x\n[x]\ndir={folder}\ndatabase={folder}/index\nserial={folder}/serial\nnew_certs_dir={folder}\n"
        "default_md=sha256\npolicy=p\ncopy_extensions=copy\n[p]\ncommonName=supplied\n"
    )
    dates = ["-startdate", "20190101000000Z", "-enddate", until]
    files = ["-config", str(folder / "ca.cnf"), "-in", str(request), "-out", str(cert)]
    openssl("ca", *authority, "-batch", "-notext", *dates, *files)


def openssl(*arguments: str) -> None:
    """Run openssl and fail with what it says."""
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
