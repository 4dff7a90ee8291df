"""T6, T7 and T14: what leaves in answers, what foreign text may do, what a hostile server may cost."""

from proofs.mutation import Mutation

_REDACTING = "shared/aiops_shared/guardrails/redacting.py"
_DOOR = "shared/aiops_shared/app/boundary.py"
_ANSWERS = "shared/aiops_shared/http/answers.py"
_THE_REDACTING = "tests/shared/guardrails/test_redacting.py::"
_THE_DOOR = "tests/shared/app/test_the_door.py::"
_SCREENS = "tests/shared/security/test_attack_screens.py::"
_UNTRUSTED = "tests/eks/diagnosis/test_untrusted_text.py::"
_HOSTILE = "tests/faults/test_kube_hostile.py::"
_HOSTILE_ANSWER = f"{_HOSTILE}test_a_hostile_answer_is_an_error_within_the_deadline_and_bounded_in_memory"
_MANIFESTS = "tests/shared/kube/test_manifests.py::"

SECRETS = (
    Mutation(
        "T6",
        "Texts lose the secrets that a rule knows.",
        _REDACTING,
        "            text = rule.applied(text, counts)\n",
        "            text = str(text)\n",
        (f"{_THE_REDACTING}test_of_a_thousand_planted_secrets_of_18_kinds_none_is_left",),
    ),
    Mutation(
        "T6",
        "A Secret keeps the names of its keys and none of their values.",
        _REDACTING,
        '    if kind == "Secret" or (typed and kind is None):\n',
        "    if kind is typed:\n",
        (f"{_THE_REDACTING}test_a_secret_keeps_its_key_names_only",),
    ),
    Mutation(
        "T6",
        "A value under a secret's name is masked, whatever it looks like.",
        _REDACTING,
        "        elif key in masked or (isinstance(key, str) and is_secret_name(key)):\n",
        "        elif key in masked:\n",
        (f"{_THE_REDACTING}test_values_are_masked_by_the_name_they_stand_under",),
    ),
    Mutation(
        "T6",
        "Whole values are redacted first and cut afterwards.",
        _REDACTING,
        "    clean = redact(text)\n    return clean if",
        "    clean = redact(text[:limit])\n    return clean if",
        (f"{_THE_REDACTING}test_a_value_is_redacted_whole_and_cut_afterwards",),
    ),
    Mutation(
        "T6",
        "Every answer passes the redaction at the one door, whatever its tool did.",
        _DOOR,
        "        answer = fit(without_empties(escape_tree(redact_tree(data, counts)), required), budget)\n",
        "        answer = fit(without_empties(escape_tree(data), required), budget)\n",
        (f"{_THE_DOOR}test_every_string_that_leaves_is_redacted_first_and_cut_afterwards",),
    ),
    Mutation(
        "T6",
        "The text of a bug never reaches a client.",
        _DOOR,
        '    text = f"[internal] {tool}: unexpected failure {mark}; see the server\'s log for it"\n',
        '    text = f"[internal] {tool}: {bug}"\n',
        (f"{_THE_DOOR}test_the_text_of_a_bug_stays_here_and_the_log_has_it_redacted",),
    ),
    Mutation(
        "T6",
        "What is audited is redacted before it is written.",
        "shared/aiops_shared/guardrails/audit.py",
        "    clean: dict[str, Any] = redact_tree(dict(says))\n",
        "    clean: dict[str, Any] = dict(says)\n",
        ("tests/shared/guardrails/test_audit.py::test_secrets_are_redacted_before_they_are_written",),
    ),
    Mutation(
        "T6",
        "Every log record passes the redaction.",
        _REDACTING,
        "        record.msg, record.args = redact(_message(record)), ()\n",
        "        record.msg, record.args = _message(record), ()\n",
        (f"{_THE_REDACTING}test_log_messages_arguments_and_extra_fields_are_clean",),
    ),
)

TEXTS = (
    Mutation(
        "T7",
        "Control, bidirectional and invisible characters of an answer are spelled out.",
        _REDACTING,
        '    return _HIDDEN.sub(_spelled, text.replace("\\r\\n", "\\n"))\n',
        "    return text\n",
        (
            f"{_THE_DOOR}test_control_characters_become_visible",
            f"{_THE_REDACTING}test_characters_that_hide_or_act_are_spelled_out",
        ),
    ),
    Mutation(
        "T7",
        "What a person approves is shown on lines that no text of a caller or an object can begin.",
        "servers/eks_aiops/terminal.py",
        '    return escape_untrusted(redact(text)).replace("\\n", "\\\\n").replace("\\t", "\\\\t")\n',
        "    return escape_untrusted(redact(text))\n",
        (f"{_SCREENS}test_no_text_of_a_plan_starts_a_line_of_the_approval_or_steers_the_terminal",),
    ),
    Mutation(
        "T7",
        "Answers name the fields that hold foreign text.",
        "servers/aiops_eks/diagnosis/answering.py",
        '        untrusted=(*(UNTRUSTED if shown else ()), *(("pods",) if pods.rows else ())),\n',
        "        untrusted=(),\n",
        (f"{_UNTRUSTED}test_a_hostile_waiting_message_is_quoted_and_its_place_is_named_untrusted",),
    ),
    Mutation(
        "T7",
        "Foreign text stands quoted, on one line and short.",
        "servers/aiops_eks/diagnosis/quoting.py",
        "    shown = escaped(text.strip())\n",
        "    return text\n    shown = escaped(text.strip())\n",
        (f"{_UNTRUSTED}test_a_hostile_event_stands_only_in_quoted_evidence",),
    ),
)

UPSTREAMS = (
    Mutation(
        "T14",
        "An answer is read up to its limit, whatever it declares or goes on to send.",
        _ANSWERS,
        "        if len(body) > max_bytes:\n",
        "        if len(body) > 20 * max_bytes:\n",
        (f"{_HOSTILE_ANSWER}[an endless list]",),
    ),
    Mutation(
        "T14",
        "A compressed answer is unpacked up to its limit.",
        _ANSWERS,
        "        data = unpack.decompress(piece, max_bytes + 1)\n",
        "        data = unpack.decompress(piece)\n",
        (f"{_HOSTILE_ANSWER}[a gzip bomb]",),
    ),
    Mutation(
        "T14",
        "What does not say that it is JSON is not read as an answer.",
        _ANSWERS,
        '    if kind != "application/json":\n',
        '    if kind == "application/never":\n',
        (f"{_HOSTILE_ANSWER}[a good list that is called a page]",),
    ),
    Mutation(
        "T14",
        "A watch without end stops when its time is up.",
        "shared/aiops_shared/kube/watching.py",
        "        return self.ends_at - anyio.current_time()\n",
        "        return 3600.0\n",
        (f"{_HOSTILE}test_a_watch_that_never_ends_stops_when_its_time_is_up",),
    ),
    Mutation(
        "T14",
        "A manifest of more than a megabyte is refused before it is parsed.",
        "shared/aiops_shared/kube/manifests.py",
        "    if size > MAX_BYTES:\n",
        "    if size > 10 * MAX_BYTES:\n",
        (f"{_MANIFESTS}test_size_is_refused_before_parsing",),
    ),
    Mutation(
        "T14",
        "A manifest carries no tags.",
        "shared/aiops_shared/kube/manifests.py",
        '            if tag not in {None, "!"}:\n',
        "            if tag == MAX_BYTES:\n",
        (f"{_MANIFESTS}test_tags_are_refused[!!python/object/apply:os.system ['id']]",),
    ),
)

DATA_CONTROLS: tuple[Mutation, ...] = (*SECRETS, *TEXTS, *UPSTREAMS)
