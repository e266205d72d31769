"""``cds clients``: one plain sentence for each refusal, and a file that is never half written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cds.cli import main
from cds.clients import add, listed

Cds = Callable[..., Result]


def entry(name: str = "ehr", **changes: Any) -> dict[str, Any]:
    issuer = f"https://{name}.example/fhir"
    whole = {"issuer": issuer, "tenant": "general", "fhirServers": [issuer], "jwks": {"keys": []} | {"note": name}}
    return {key: value for key, value in (whole | changes).items() if value is not None}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "registrations.json"


@pytest.fixture
def cds(file: Path) -> Cds:
    def run(*arguments: str, given: Any = None) -> Result:
        text = given if isinstance(given, str) else json.dumps(given)
        environment = {"CDS_REGISTRATIONS_FILE": str(file)}
        return CliRunner().invoke(main, ["clients", *arguments], input=text, env=environment)

    return run


def refusal(result: Result) -> str:
    """The one sentence of a refusal."""
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_added_listed_and_removed(cds: Cds, file: Path) -> None:
    for name in ("one", "two"):
        assert cds("add", "-", given=entry(name)).exit_code == 0
    assert cds("list").stdout.splitlines() == [
        f"https://{name}.example/fhir\tgeneral\thttps://{name}.example/fhir" for name in ("one", "two")
    ]
    assert cds("remove", "https://one.example/fhir").exit_code == 0
    assert [client.issuer for client in listed(file)] == ["https://two.example/fhir"]


def test_added_from_a_file(cds: Cds, file: Path, tmp_path: Path) -> None:
    (tmp_path / "new.json").write_text(json.dumps(entry()))
    assert "restart" in cds("add", str(tmp_path / "new.json")).stdout
    assert len(listed(file)) == 1


def test_what_stands_in_the_file_stays_as_it_is(cds: Cds, file: Path) -> None:
    held = entry("held", comment="Ask Dr. Müller", pacs=[{"root": "https://pacs.example/dicom-web"}])
    file.write_text(json.dumps([held]))
    file.chmod(0o640)
    cds("add", "-", given=entry("new"))
    assert json.loads(file.read_text()) == [held, entry("new")]
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(cds: Cds, file: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.json"
    real.write_text("[]")
    file.symlink_to(real)
    cds("add", "-", given=entry())
    assert file.is_symlink()
    assert len(listed(real)) == 1


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("{", "JSON"),
        ([entry()], "one registration"),
        (entry(issuer=None), "issuer"),
        (entry(issuer=5), "issuer"),
        (entry(tenant=""), "tenant"),
        (entry(jwks=None), "jwks"),
        (entry(algorithms=["HS256"]), "HS256"),
        (entry(fhirServers=["ftp://ehr.example"]), "http"),
        (entry(fhirServers=["https://user:password@ehr.example"]), "user name"),
        (entry(fhirServers=[1]), "kind"),
        (entry(fhirServers=None), "fhirServers"),
        (entry(pacs=[{"root": "https://pacs.example", "results": ["SR", "PDF", 5]}]), "no PACS can be given"),
        (entry(pacs=[{"root": "https://pacs.example", "results": 5}]), "kind"),
    ],
    ids=str,
)
def test_a_registration_that_is_none_is_refused(given: Any, named: str, cds: Cds, file: Path) -> None:
    assert named in refusal(cds("add", "-", given=given))
    assert not file.exists()


def test_an_issuer_is_registered_once(cds: Cds, file: Path) -> None:
    cds("add", "-", given=entry())
    assert "already" in refusal(cds("add", "-", given=entry(tenant="other")))
    assert [client.tenant for client in listed(file)] == ["general"]


def test_an_issuer_that_is_not_there(cds: Cds, file: Path) -> None:
    file.write_text(json.dumps([entry()]))
    assert "not registered" in refusal(cds("remove", "https://nobody.example"))
    assert len(listed(file)) == 1


@pytest.mark.parametrize("text", ["{", "{}", "[1]", json.dumps([{"issuer": "https://half.example"}])])
@pytest.mark.parametrize("command", [["list"], ["add", "-"]])
def test_a_file_that_is_none_is_named_and_left_alone(command: list[str], text: str, cds: Cds, file: Path) -> None:
    file.write_text(text)
    assert "registration" in refusal(cds(*command, given=entry()))
    assert file.read_text() == text


def test_no_file_and_no_setting(cds: Cds) -> None:
    assert "cannot be read" in refusal(cds("list"))
    unset = CliRunner().invoke(main, ["clients", "list"], env={"CDS_REGISTRATIONS_FILE": ""})
    assert "CDS_REGISTRATIONS_FILE is not set" in refusal(unset)


def test_many_at_once_lose_nobody(file: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: add(file, entry(f"ehr{n}")), range(16)))
    assert len(listed(file)) == 16
    assert os.listdir(file.parent) == [file.name]
