"""What names, keys and values of labels may be (k8s.io/apimachinery/pkg/util/validation), in its words."""

import re

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LONGEST_LABEL, _LONGEST_NAME = 63, 253

_LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_1035_WORDS = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
    "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_QUALIFIED_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def label_problem(name: str) -> str:
    """Why a name is no RFC 1123 label; empty where it is one."""
    if len(name) > _LONGEST_LABEL:
        return f"must be no more than {_LONGEST_LABEL} characters"
    return "" if LABEL.fullmatch(name) else _LABEL_WORDS


def label_1035_problem(name: str) -> str:
    """Why a name is no RFC 1035 label; empty where it is one."""
    if len(name) > _LONGEST_LABEL:
        return f"must be no more than {_LONGEST_LABEL} characters"
    return "" if _LABEL_1035.fullmatch(name) else _LABEL_1035_WORDS


def subdomain_problem(name: str) -> str:
    """Why a name is no RFC 1123 subdomain; empty where it is one."""
    if len(name) > _LONGEST_NAME:
        return f"must be no more than {_LONGEST_NAME} characters"
    return "" if _SUBDOMAIN.fullmatch(name) else _SUBDOMAIN_WORDS


def segment_problem(name: str) -> str:
    """Why a name is no path segment; empty where it is one."""
    if name in {".", ".."}:
        return f"may not be '{name}'"
    return "may not contain '/' or '%'" if set(name) & {"/", "%"} else ""


def key_problem(key: str) -> str:
    """Why a key of labels or annotations is none; empty where it is one."""
    prefix, slash, name = key.rpartition("/")
    if slash and (problem := subdomain_problem(prefix)):
        return f"prefix part {problem}"
    if len(name) > _LONGEST_LABEL:
        return f"name part must be no more than {_LONGEST_LABEL} characters"
    return "" if _QUALIFIED.fullmatch(name) else _QUALIFIED_WORDS


def label_value_problem(value: str) -> str:
    """Why a text is no label value; empty where it is one."""
    if len(value) > _LONGEST_LABEL:
        return f"must be no more than {_LONGEST_LABEL} characters"
    return "" if not value or _QUALIFIED.fullmatch(value) else _VALUE_WORDS
