"""The operator's table: what is taken, and that a mistake names its line and field."""

from pathlib import Path

import pytest

from aiops_shared.errors import NotConfiguredError
from aiops_shared.kube.table import read_table

GOOD = """\
accounts:
  - account_id: "111122223333"
    role_arn: arn:aws:iam::111122223333:role/path/aiops
    external_id: example
    regions: [us-west-2, us-gov-west-1]
clusters:
  - {name: shop, account_id: "111122223333", region: us-west-2, environment: prod}
  - {name: kind, context: kind-kind, environment: dev}
repositories:
  - {name: shop-config, path: /srv/git/shop.git, applications: [shop], push: policy}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "clusters.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_is_read(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, GOOD))
    assert [row.name for row in table.clusters] == ["shop", "kind"]
    (repository,) = table.repositories
    assert (repository.branch, repository.push) == ("main", "policy")
    account = table.account("111122223333")
    assert account is not None
    assert account.external_id == "example"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace('"111122223333"\n', "111122223333\n"), r"line 2, accounts\.0\.account_id: .*string"),
        (GOOD.replace("role/path", "user/path"), r"line 3, accounts\.0\.role_arn"),
        (
            GOOD.replace("us-west-2, us-gov", "us-west-2.evil.example, us-gov"),
            r"line 5, accounts\.0\.regions\.0",
        ),
        (GOOD.replace("environment: prod", "environment: live"), r"line 7, clusters\.0\.environment"),
        (GOOD.replace("context: kind-kind", "contxt: kind-kind"), r"line 8, clusters\.1\.contxt"),
        (GOOD.replace(", context: kind-kind", ""), r"line 8, clusters\.1: .*context"),
        (GOOD.replace("region: us-west-2", "region: eu-west-1"), r"shop.*eu-west-1.*accounts"),
        (GOOD.replace("[us-west-2, us-gov-west-1]", "[]"), r"line 5, accounts\.0\.regions"),
        (GOOD.replace("/srv/git", "srv/git"), r"line 10, repositories\.0: .*absolute"),
        (GOOD.replace("push: policy", "push: always"), r"line 10, repositories\.0\.push"),
        (GOOD.replace("name: shop-config", "name: ../x"), r"line 10, repositories\.0\.name"),
        (GOOD.replace("applications", "branch: -x, applications"), r"line 10, repositories\.0\.branch"),
        (GOOD.replace("applications", "branch: a..b, applications"), r"line 10, repositories\.0: .*branch"),
        (GOOD + "  - {name: shop-config, path: /srv/b}\n", "twice under repositories"),
        ("", "the file"),
        ("accounts: []", "neither accounts nor clusters"),
        ("- a\n", "the file"),
        ("accounts: [", "cannot be read"),
        ("a: &a [x]\nb: *a\n", "aliases"),
        ("!!python/object/apply:os.system [id]", "cannot be read"),
    ],
)
def test_a_mistake_names_its_line_and_field(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(NotConfiguredError, match=says):
        read_table(write(tmp_path, text))


def test_a_table_that_is_not_there_or_too_large_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotConfiguredError, match="cannot be read"):
        read_table(tmp_path / "missing.yaml")
    with pytest.raises(NotConfiguredError, match="larger"):
        read_table(write(tmp_path, "#" * 1_000_001))
