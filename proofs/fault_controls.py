"""R1 to R23: the control of each fault, and what takes it away."""

from proofs.mutation import Edit, Mutation

_CONNECTION = "shared/aiops_shared/kube/connection.py"
_EFFECTING = "shared/aiops_shared/guardrails/effecting.py"
_RUNS = "shared/aiops_shared/guardrails/runs.py"
_SLOW = "tests/faults/test_kube_slow.py"
_STORMS = "tests/faults/test_runs_in_storms.py"
_EXECUTOR = "tests/faults/test_executor_faults.py"

FAULT_CONTROLS: tuple[Mutation, ...] = (
    Mutation(
        "R1",
        "A 429 is waited for as long as its Retry-After says.",
        _CONNECTION,
        '        retry_after_s=asked_wait_s(response.headers.get("retry-after", "")),\n',
        "        retry_after_s=None,\n",
        (
            "tests/faults/test_kube_throttled.py::test_a_throttled_read_waits_as_long_as_asked_within_a_fifth_and_succeeds",
        ),
    ),
    Mutation(
        "R1",
        "After five tries a throttled call is given up with a clear error.",
        _CONNECTION,
        "TRIES = 5\n",
        "TRIES = 9\n",
        (
            "tests/faults/test_kube_throttled.py::test_a_read_throttled_forever_ends_after_five_tries_and_says_when_to_come_again",
        ),
    ),
    Mutation(
        "R2",
        "A change whose answer is lost is not sent again blindly.",
        _CONNECTION,
        "    return _Try(error=failure, again=not ask.effect and not lasting)\n",
        "    return _Try(error=failure, again=not lasting)\n",
        (
            "tests/faults/test_kube_resets.py::test_a_change_that_breaks_is_never_sent_twice_and_says_that_its_outcome_is_unknown",
        ),
    ),
    Mutation(
        "R2",
        "The executor reads the object back before a step without an answer is tried again.",
        _EFFECTING,
        "            self._unsettled = True\n"
        '            await self._settle(str(error) or "no answer in time")\n',
        '            await self._not_applied(str(error) or "no answer in time")\n',
        (f"{_EXECUTOR}::test_a_write_whose_answer_is_lost_happens_exactly_once[reset_after]",),
    ),
    Mutation(
        "R3",
        "A call has a deadline: who asked is answered, and nothing more is sent.",
        "shared/aiops_shared/aws/clients.py",
        "            with anyio.fail_after(self._timeout_s):\n",
        "            with anyio.fail_after(None):\n",
        ("tests/shared/aws/test_clients.py::test_a_service_that_never_answers_ends_at_the_deadline",),
    ),
    Mutation(
        "R3",
        "A change that ended at its deadline is said to be unknown, not failed.",
        _CONNECTION,
        '        hint = UNKNOWN if ask.effect else "ask for less, or again later"\n',
        '        hint = "ask for less, or again later"\n',
        (f"{_SLOW}::test_a_slow_change_ends_at_the_deadline_with_its_outcome_unknown[a byte at a time]",),
    ),
    Mutation(
        "R4",
        "A list that was forgotten half way is begun anew, and its page says so: no duplicates, no gap.",
        "shared/aiops_shared/kube/listing.py",
        "        again = relisted = True\n",
        "        again = True\n",
        (
            "tests/faults/test_kube_forgotten.py::test_an_expired_cursor_gives_the_first_page_again_and_says_so",
        ),
    ),
    Mutation(
        "R5",
        "A token that is refused is renewed once, and the call goes on.",
        _CONNECTION,
        "                may_refresh, access = False, await self._renewed(access)\n"
        "                continue\n",
        "                may_refresh = False\n                continue\n",
        (
            "tests/faults/test_kube_tokens.py::test_a_token_that_ends_after_any_step_is_renewed_once_and_the_run_goes_on[5]",
        ),
    ),
    Mutation(
        "R5",
        "Credentials that are refused a second time pause the run, which goes on there later.",
        "servers/aiops_sop/engine/outcomes.py",
        "isinstance(error, UpstreamError | UnauthenticatedError | AuditDownError | RateLimitedError)",
        "isinstance(error, UpstreamError | AuditDownError | RateLimitedError)",
        (
            f"{_STORMS}::test_a_run_whose_token_is_refused_for_good_after_any_call_pauses_and_goes_on_there[False]",
        ),
    ),
    Mutation(
        "R6",
        "An AWS that fails or throttles lets the run wait and go on: it does not end it.",
        "servers/aiops_sop/engine/outcomes.py",
        "isinstance(error, UpstreamError | UnauthenticatedError | AuditDownError | RateLimitedError)",
        "isinstance(error, UnauthenticatedError | AuditDownError | RateLimitedError)",
        (f"{_STORMS}::test_a_run_ends_well_whichever_of_its_calls_meets_the_fault[aws fails]",),
    ),
    Mutation(
        "R6",
        "Expired credentials of AWS are named for what they are.",
        "shared/aiops_shared/aws/translating.py",
        '        "ExpiredTokenException",\n',
        "",
        (
            "tests/shared/aws/test_clients.py::test_each_answer_of_aws_becomes_the_error_that_says_what_to_do[ExpiredTokenException]",
        ),
    ),
    Mutation(
        "R7",
        "Who takes an action over finds out by reading whether the intended step happened.",
        _EFFECTING,
        '            if self.row.state == "intended":\n                self._unsettled = True\n',
        '            if self.row.state == "never":\n                self._unsettled = True\n',
        (
            "tests/faults/test_crash.py::test_a_killed_process_is_carried_on_and_every_effect_happens_once[after_intent-0]",
        ),
    ),
    Mutation(
        "R8",
        "While the store is away a run rests in its process and goes on when it is back.",
        "servers/aiops_sop/clients/carrying.py",
        '                _log.warning("run %s rests: %s", held.run_id, error.wire())\n',
        '                return {"next": "", "over": True, "state": "lost"}\n',
        (f"{_STORMS}::test_a_run_whose_store_cannot_be_written_goes_on_without_a_restart[read_only]",),
    ),
    Mutation(
        "R8",
        "An engine whose launch broke off with its database is launched anew, and whole.",
        "servers/aiops_sop/clients/durable.py",
        "                DBOS.destroy()\n                _here.clear()\n                raise\n",
        "                raise\n",
        (
            "tests/sop/runs/test_standing_still.py::test_an_engine_whose_first_launch_broke_off_is_launched_anew_and_whole",
        ),
    ),
    Mutation(
        "R9",
        "An intent that cannot be audited is no effect.",
        "shared/aiops_shared/guardrails/run_context.py",
        "            seq = self.hands.trail.intent_in(conn, self.entry.caller, self.entry.action_id, says)\n",
        "            seq = 0\n",
        (f"{_EXECUTOR}::test_without_an_audit_there_is_no_effect_and_it_recovers_by_itself",),
    ),
    Mutation(
        "R10",
        "A clock that is set back lowers no count: it goes on at the latest time seen.",
        "shared/aiops_shared/guardrails/limits.py",
        "    counted_at = max(_latest(conn, same, now), _latest(conn, _by(occurrence), now))\n",
        "    counted_at = now\n",
        ("tests/shared/guardrails/test_limits.py::test_a_clock_that_jumps_back_lowers_no_count",),
    ),
    Mutation(
        "R11",
        "A run holds its target: a second start gets the first one's id.",
        "servers/aiops_sop/clients/run_desk.py",
        "        row = claim.row(holds)\n",
        "        row = claim.row(None)\n",
        ("tests/sop/runs/test_desk.py::test_a_second_start_on_the_same_target_gets_the_first_one_s_id",),
    ),
    Mutation(
        "R12",
        "An idempotency key is bound to its call: another call under it is refused.",
        "shared/aiops_shared/guardrails/executor.py",
        "        if not bound:\n",
        "        if bound is None:\n",
        (
            "tests/shared/guardrails/test_executor.py::test_the_same_key_is_the_same_call_and_another_plan_under_it_is_refused",
        ),
    ),
    Mutation(
        "R13",
        "A disruption budget that says no is an answer: the eviction is not repeated blindly.",
        _CONNECTION,
        "        again=code in passing and not (ask.eviction and _budget_says_no(status)),\n",
        "        again=code in passing,\n",
        (
            "tests/faults/test_kube_throttled.py::test_a_disruption_budget_that_forbids_an_eviction_is_an_answer_and_not_waited_for",
        ),
    ),
    Mutation(
        "R14",
        "A check that fails after the change begins the way back.",
        _RUNS,
        '            if result.state == "failed":\n',
        '            if result.state == "never":\n',
        (f"{_EXECUTOR}::test_a_failed_gate_undoes_all_targets_in_reverse_order_once",),
    ),
    Mutation(
        "R14",
        "The way back goes in reverse order.",
        _RUNS,
        "            for index in reversed(range(len(self.plan.targets))):\n",
        "            for index in range(len(self.plan.targets)):\n",
        (f"{_EXECUTOR}::test_a_failed_gate_undoes_all_targets_in_reverse_order_once",),
    ),
    Mutation(
        "R15",
        "What somebody else wrote since stops the way back.",
        "shared/aiops_shared/guardrails/undoing.py",
        "        return changed_since(found.target.ref, now, found.uid, found.left)\n",
        '        return ""\n',
        (
            "tests/shared/guardrails/test_undoing.py::test_an_undo_is_refused_when_somebody_changed_the_same_field_and_names_it",
        ),
    ),
    Mutation(
        "R16",
        "An object that was made again under the same name is another one.",
        "shared/aiops_shared/guardrails/bindings.py",
        "    if uid_of(now) != uid:\n"
        '        return f"{ref} was deleted and created again with the same name"\n',
        "",
        (
            "tests/shared/guardrails/test_undoing.py::test_an_undo_is_refused_on_an_object_made_again_with_the_same_name",
        ),
    ),
    Mutation(
        "R17",
        "A question that expired takes no answer: the run pauses until it is asked anew.",
        "servers/aiops_sop/clients/waking.py",
        '        if state in {"expired", ""}:\n',
        '        if state == "":\n',
        ("tests/sop/runs/test_desk.py::test_a_question_that_expired_pauses_the_run_until_it_is_asked_anew",),
    ),
    Mutation(
        "R18",
        "Who leaves while it waits frees its place, and its call never begins.",
        "shared/aiops_shared/remote/shedding.py",
        "                        heard.append(await receive())\n"
        "                    tasks.cancel_scope.cancel()\n",
        "                        heard.append(await receive())\n",
        ("tests/remote/test_shedding.py::test_who_leaves_while_waiting_frees_the_queue_and_takes_no_place",),
    ),
    Mutation(
        "R19",
        "Each write of an action checks the fence: who was taken over writes nothing more.",
        "shared/aiops_shared/guardrails/journal.py",
        "                actions.c.fence == lease.fence,\n"
        "                actions.c.lease_owner == lease.worker,\n",
        "",
        (f"{_EXECUTOR}::test_a_stale_worker_is_refused_at_its_next_write",),
    ),
    Mutation(
        "R19",
        "Each write of a run checks the fence.",
        "servers/aiops_sop/clients/run_store.py",
        "(sop_runs.c.fence == held.fence)\n        values = ",
        "(sop_runs.c.fence >= 0)\n        values = ",
        ("tests/sop/runs/test_desk.py::test_who_lost_the_run_writes_and_executes_nothing_more",),
        also=(
            Edit(
                "servers/aiops_sop/clients/run_store.py",
                "            if conn.execute(query).scalar_one_or_none() != held.fence:\n",
                "            if conn.execute(query).scalar_one_or_none() is None:\n",
            ),
        ),
    ),
    Mutation(
        "R20",
        "Lists are read in pages of 500.",
        "shared/aiops_shared/kube/api.py",
        "PAGE = 500\n",
        "PAGE = 5000\n",
        (
            "tests/faults/test_kube_large.py::test_every_page_is_of_500_and_a_list_that_is_longer_than_allowed_says_so",
        ),
    ),
    Mutation(
        "R21",
        "A source that fails is named, and the rest answers.",
        "servers/aiops_sop/clients/investigating.py",
        '                gaps[call.key] = f"[{error.code}] {error}"\n',
        '                gaps[call.key] = ""\n',
        ("tests/sop/investigations/test_investigating.py::test_any_source_may_fail_and_is_named",),
    ),
    Mutation(
        "R22",
        "A process that ends begins no step: it hands over.",
        "shared/aiops_shared/guardrails/lifetimes.py",
        "        if self.stopping:\n            raise HandOverError\n",
        "",
        (f"{_EXECUTOR}::test_a_stop_ends_the_step_under_way_and_hands_the_rest_over",),
    ),
    Mutation(
        "R22",
        "Runs are handed over from the signal on, beside the drain of requests, not after it.",
        "shared/aiops_shared/remote/running.py",
        "            stop_all()\n",
        "",
        ("tests/remote/test_drain.py::test_runs_are_handed_over_beside_the_drain_and_not_after_it",),
    ),
    Mutation(
        "R23",
        "An older program says no to a newer one's store and changes nothing.",
        "shared/aiops_shared/state/migrating.py",
        "    if found > latest(migrations):\n",
        "    if found > latest(migrations) + 9:\n",
        (
            "tests/faults/test_upgrades.py::test_an_older_program_says_no_to_the_runs_of_a_newer_one_and_changes_nothing",
        ),
    ),
)
