"""T1, T2, T5, T8 and T13: what a caller or an author of a SOP may say, and what it may lead to."""

from proofs.mutation import Edit, Mutation

_NAMES = "shared/aiops_shared/kube/names.py"
_GUARD = "shared/aiops_shared/kube/guard.py"
_NEVER = "shared/aiops_shared/guardrails/policies/10-never.cedar"
_BAD_NAMES = "tests/shared/kube/test_bad_names.py::"
_THE_GUARD = "tests/shared/kube/test_guard.py::"
_WHOLE_INPUTS = "tests/eks/test_the_whole_bad_inputs.py::"
_SOP_FILES = "tests/sop/documents/test_bad_files.py::"
_CONNECTION = "shared/aiops_shared/kube/connection.py"

INJECTION = (
    Mutation(
        "T1",
        "What is no Kubernetes name, kind, selector or cursor is refused before any request.",
        _NAMES,
        "    if rule.fullmatch(value) is None:\n",
        "    if rule is None:\n",
        (
            f"{_BAD_NAMES}test_a_hostile_name_is_refused_before_any_request[get name]",
            f"{_BAD_NAMES}test_a_hostile_kind_is_refused_before_any_request[po ds]",
            f"{_BAD_NAMES}test_a_hostile_cursor_is_refused_before_any_request[a b]",
            f"{_BAD_NAMES}test_a_selector_that_is_none_is_refused_before_any_request[a=b;c]",
        ),
    ),
    Mutation(
        "T1",
        "A tool's parameters are checked where the tool is called, whatever the tool does with them.",
        "shared/aiops_shared/params.py",
        "    return AfterValidator(lambda value: value if value is None else check(value))\n",
        "    return AfterValidator(lambda value: value)\n",
        (f"{_WHOLE_INPUTS}test_no_bad_text_gets_past_any_parameter[BI-003]",),
    ),
    Mutation(
        "T1",
        "An empty, dotted or encoded part of a path never makes a request of another shape.",
        _NAMES,
        'if segment in {"", ".", ".."} or not segment.isascii() or "%" in segment or "/" in segment:',
        "if not isinstance(segment, str):",
        ("tests/shared/kube/test_names.py::test_no_part_of_a_path_changes_its_shape",),
    ),
    Mutation(
        "T1",
        "A delete of a whole collection never leaves the process.",
        _GUARD,
        '    if request.method == "DELETE" and not _is_one_object(path):\n',
        '    if request.method == "DELETE" and not path:\n',
        (
            (
                f"{_THE_GUARD}test_a_delete_of_a_collection_is_never_sent_even_with_a_permit"
                "[/api/v1/namespaces/shop/pods]"
            ),
        ),
    ),
)

READ_ONLY = (
    Mutation(
        "T2",
        "Without AIOPS_WRITE a writing tool is neither listed nor callable.",
        "shared/aiops_shared/app/__init__.py",
        '    if "write" in tool.tags and "plans" not in tool.tags and not settings.write:\n',
        '    if "never" in tool.tags:\n',
        (
            (
                "tests/shared/app/test_the_door.py"
                "::test_a_write_tool_is_neither_listed_nor_callable_when_writes_are_off"
            ),
            "tests/contracts/test_modes.py::test_a_hidden_tool_called_by_name_is_read_only_and_audited",
        ),
    ),
    Mutation(
        "T2",
        "The gate refuses every execution of a read-only process, whoever asks it.",
        "shared/aiops_shared/guardrails/gate.py",
        "        if not self.modes.write:\n",
        "        if self.modes is None:\n",
        (
            (
                "tests/shared/guardrails/test_gate.py"
                "::test_in_read_only_mode_a_good_plan_is_refused_before_the_policy_is_asked"
            ),
        ),
    ),
    Mutation(
        "T2",
        "No change leaves a Kubernetes client without a permit of the gate, unless it is a dry run.",
        _GUARD,
        "    if not _permitted(request) and not _is_dry_run(request, path):\n",
        "    if request.url.host == path:\n",
        (
            f"{_THE_GUARD}test_a_change_without_a_permit_is_refused",
            f"{_THE_GUARD}test_every_connection_carries_the_guard_whatever_asks_through_it",
        ),
    ),
    Mutation(
        "T2",
        "Rights (roles and bindings) are never changed, whoever approves.",
        _NEVER,
        '    "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "CertificateSigningRequest",\n',
        '    "CertificateSigningRequest",\n',
        (
            (
                "tests/shared/security/test_attack_policy.py"
                "::test_what_is_never_written_is_not_written_under_another_group_either[Role]"
            ),
        ),
    ),
    Mutation(
        "T2",
        "A privileged pod is refused, whoever approves.",
        _NEVER,
        "when { context.pod_security };\n",
        "when { context.pod_security && context.frozen };\n",
        ("tests/faults/test_attack_manifests.py::test_what_a_manifest_may_not_say_is_refused",),
    ),
    Mutation(
        "T2",
        "A call without the scope of its tool is refused by the tool itself, whatever the door let through.",
        "shared/aiops_shared/app/scoping.py",
        "        if _holds(needs):\n",
        "        if needs:\n",
        ("tests/remote/test_scopes.py::test_a_door_that_knows_no_tool_does_not_let_one_run",),
    ),
    Mutation(
        "T2",
        "A run of mode plan never executes.",
        "shared/aiops_shared/guardrails/gate.py",
        "        if planned_only():\n",
        "        if self.modes is None:\n",
        ("tests/shared/guardrails/test_gate.py::test_a_run_of_mode_plan_never_executes",),
        (
            Edit(
                "shared/aiops_shared/guardrails/modes.py",
                '    if run_mode == "plan":\n        return "deny"',
                '    if run_mode is None:\n        return "deny"',
            ),
        ),
    ),
)

HOSTS = (
    Mutation(
        "T5",
        "A redirect is never followed, so no token goes where a server points.",
        "shared/aiops_shared/http/client.py",
        "        follow_redirects=False,\n",
        "        follow_redirects=True,\n",
        ("tests/faults/test_kube_hostile.py::test_a_redirect_never_carries_the_token_away",),
    ),
    Mutation(
        "T5",
        "A region is a region's name: it cannot bend the host of an AWS endpoint.",
        "shared/aiops_shared/aws/target.py",
        "    if _REGION.fullmatch(region) is None:\n",
        "    if region is None:\n",
        (
            (
                "tests/shared/aws/test_clients.py"
                "::test_a_region_that_would_change_the_host_is_refused[us-west-2.evil.example/#]"
            ),
        ),
    ),
    Mutation(
        "T5",
        "A tool takes the parameters of its schema and no other: no address, header, path or flag.",
        "shared/aiops_shared/app/boundary.py",
        "        try:\n            if said := _unfit(arguments):\n",
        "        try:\n"
        '            words = self.parameters.get("properties", {})\n'
        "            arguments = {name: value for name, value in arguments.items() if name in words}\n"
        "            if said := _unfit(arguments):\n",
        (f"{_WHOLE_INPUTS}test_no_tool_takes_a_path_an_address_or_a_flag",),
    ),
)

SOPS = (
    Mutation(
        "T8",
        "A key that the SOP format does not know refuses the file: the set of actions is closed.",
        "servers/aiops_sop/documents/blocks.py",
        "        if more := sorted(set(self.values) - names):\n",
        "        if more := sorted(set(self.values) & {None}):\n",
        (f"{_SOP_FILES}test_a_bad_file_is_refused_with_its_line_and_what_is_wrong",),
    ),
    Mutation(
        "T8",
        "A run goes on with the document that it began with, or not at all.",
        "servers/aiops_sop/clients/run_parts.py",
        "    if sop.digest != digest:\n",
        "    if sop.digest is digest is None:\n",
        (
            "tests/sop/runs/test_desk.py::test_a_pinned_document_that_was_edited_is_not_carried_on",
            (
                "tests/sop/runs/test_attack_runs.py"
                "::test_a_run_whose_document_was_edited_between_two_steps_stops_there"
            ),
        ),
        (
            Edit(
                "servers/aiops_sop/engine/stepping.py",
                "        if not record.sealed:\n",
                "        if record.sealed is None:\n",
            ),
        ),
    ),
    Mutation(
        "T8",
        "A foreach goes through 500 items at most.",
        "servers/aiops_sop/documents/expressions.py",
        "    if len(found) > MOST_ITEMS:\n",
        "    if len(found) < 0:\n",
        (f"{_SOP_FILES}test_a_foreach_goes_through_500_items_and_no_more",),
    ),
)

PATHS = (
    Mutation(
        "T13",
        "SOPs are read from plain files of the configured directories: no link is followed.",
        "servers/aiops_sop/clients/library.py",
        "        if stat.S_ISREG(about.st_mode):\n",
        "        if not stat.S_ISDIR(about.st_mode):\n",
        (f"{_SOP_FILES}test_only_plain_files_of_the_configured_directories_are_loaded",),
        (
            Edit(
                "servers/aiops_sop/clients/library.py",
                'getattr(os, "O_NOFOLLOW", 0) | ',
                "",
            ),
        ),
    ),
    Mutation(
        "T13",
        "A commit is planned for files of the repository's own folders: a symbolic link is none.",
        "servers/aiops_eks/clients/git_places.py",
        '            if entry is not None and entry.kind != "tree":\n',
        "            if entry is not None and entry.kind is None:\n",
        (
            "tests/eks/planning/test_git_plans.py::test_symlinks_are_not_followed_neither_to_read_nor_to_write",
        ),
    ),
    Mutation(
        "T13",
        "A file of a repository is named by a plain path below it.",
        "servers/aiops_eks/planning/git.py",
        '    if not plain or any(part.startswith(("-", ".")) or not part for part in parts):\n',
        "    if not plain:\n",
        (
            "tests/eks/planning/test_git_plans.py::test_a_file_name_that_leads_elsewhere_is_refused[../a.yaml]",
        ),
    ),
)

ARGUMENT_CONTROLS: tuple[Mutation, ...] = (*INJECTION, *READ_ONLY, *HOSTS, *SOPS, *PATHS)
