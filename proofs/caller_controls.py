"""T3, T4, T11 and T12: who calls, as whom the suite then asks others, and whose answers one gets."""

from proofs.mutation import Mutation

_TOKENS = "shared/aiops_shared/remote/tokens.py"
_NOT_OURS = "tests/remote/test_tokens.py::test_a_token_that_is_not_ours_is_401_and_says_where_to_get_one"
_CONNECTION = "shared/aiops_shared/kube/connection.py"
_KUBERNETES = "tests/remote/test_identity_kubernetes.py::"
_BEHALF = "tests/shared/auth/test_behalf.py::"
_PLACES = "shared/aiops_shared/remote/places.py"
_DOORS = "tests/remote/test_doors.py::"

TOKENS = (
    Mutation(
        "T3",
        "A token for another audience is not taken.",
        _TOKENS,
        '        if (not clients or "aud" in claims) and not self.audience & _audiences(claims):\n',
        "        if self.audience is None:\n",
        (f"{_NOT_OURS}[another audience (BI-110)]", f"{_NOT_OURS}[no audience]"),
    ),
    Mutation(
        "T3",
        "A token of another issuer is not taken.",
        _TOKENS,
        '        if claims.get("iss") != self.settings.issuer:\n',
        '        if claims.get("iss") is None:\n',
        (f"{_NOT_OURS}[another issuer]",),
    ),
    Mutation(
        "T3",
        "An expired token, or one without an end, is not taken.",
        _TOKENS,
        '        if not _is_time(claims.get("exp")) or now >= claims["exp"] + LEEWAY_S:\n',
        '        if "never" in claims:\n',
        (f"{_NOT_OURS}[expired (BI-114)]", f"{_NOT_OURS}[no end]"),
    ),
    Mutation(
        "T3",
        "A token that begins in the future is not taken.",
        _TOKENS,
        '        for name in ("nbf", "iat"):\n',
        "        for name in ():\n",
        (f"{_NOT_OURS}[not yet valid (BI-114)]",),
    ),
    Mutation(
        "T3",
        "What a token says counts only after its signature held by a key of the issuer.",
        _TOKENS,
        "            claims = jwt.decode(token, keys, registry=registry).claims\n",
        '            claims = orjson.loads(urlsafe_b64decode(token.split(".")[1].encode("ascii")))\n',
        (
            f"{_NOT_OURS}[the key of another under our key id]",
            f"{_NOT_OURS}[another body]",
            f"{_NOT_OURS}[an unknown key id]",
        ),
    ),
    Mutation(
        "T3",
        "The token goes no further than the door: nothing behind it sees one.",
        "shared/aiops_shared/remote/bearers.py",
        '        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != _HEADER]\n',
        "",
        ("tests/remote/test_doors_inside.py::test_what_stands_behind_the_tokens_never_sees_one",),
    ),
)

DEPUTIES = (
    Mutation(
        "T4",
        "The API server is asked as the caller, so the caller's rights hold and not the server's.",
        _CONNECTION,
        '        "headers": [*headers.items(), *ask.as_whom],\n',
        '        "headers": [*headers.items()],\n',
        (f"{_KUBERNETES}test_who_has_no_rights_in_a_namespace_has_none_through_the_server",),
    ),
    Mutation(
        "T4",
        "Kubernetes' own users and groups are never impersonated.",
        "shared/aiops_shared/kube/impersonating.py",
        "        if RESERVED in {word[: len(RESERVED)].lower(), whole[: len(RESERVED)].lower()}:\n",
        "        if word is RESERVED:\n",
        (f"{_KUBERNETES}test_what_kubernetes_keeps_for_itself_is_never_impersonated['system:admin']",),
    ),
    Mutation(
        "T4",
        "A statement of whom a call is for counts only with the mark of the shared key.",
        "shared/aiops_shared/auth/behalf.py",
        "    if not hmac.compare_digest(mac.encode(), _mac(body, key).encode()):\n",
        "    if not mac:\n",
        (f"{_BEHALF}test_a_forged_edited_stretched_or_misdirected_statement_is_refused",),
    ),
    Mutation(
        "T4",
        "Callers who share an AWS client each act in a role session of their own.",
        "shared/aiops_shared/aws/sessions.py",
        "        key = (target.caller, target.run)\n",
        '        key = ("", "")\n',
        (
            (
                "tests/shared/aws/test_clients.py"
                "::test_callers_who_share_a_client_each_act_in_a_role_session_of_their_own"
            ),
        ),
    ),
)

BROWSERS = (
    Mutation(
        "T11",
        "A web page of another origin is turned away, though it reaches loopback.",
        _PLACES,
        "        if said and origin not in self.origins and not _same(origin, host):\n",
        "        if said and origin is None:\n",
        (
            (
                f"{_DOORS}test_a_web_page_of_another_origin_is_403_though_it_reaches_loopback"
                "[https://evil.example-403]"
            ),
        ),
    ),
    Mutation(
        "T11",
        "A server answers to its own names alone, so a rebound name reaches nothing.",
        _PLACES,
        '        if not self._is_ours(_name(host)) or not scope["path"].startswith("/"):\n',
        '        if not scope["path"].startswith("/"):\n',
        (f"{_DOORS}test_a_page_that_rebinds_its_name_reaches_nothing",),
    ),
    Mutation(
        "T11",
        "Without an issuer of tokens nothing listens where others reach it.",
        "shared/aiops_shared/remote/running.py",
        "if settings.auth.issuer or (is_loopback(http.host) and (public is None or is_loopback(public))):",
        "if http:",
        (
            f"{_DOORS}test_only_loopback_is_safe_without_tokens",
            f"{_DOORS}test_a_public_url_without_tokens_does_not_start_either",
        ),
    ),
)

ANSWERS = (
    Mutation(
        "T12",
        "Another caller's run is not there.",
        "servers/aiops_sop/clients/run_desk.py",
        '        if record.pattern != "event" and not may_see(record.caller.name, caller):\n',
        "        if record is None:\n",
        ("tests/sop/runs/test_desk.py::test_another_caller_s_run_is_not_there",),
    ),
    Mutation(
        "T12",
        "As whom a request is made is asked anew for each request on a shared connection.",
        _CONNECTION,
        "        ask = replace(ask, as_whom=self._as_whom())\n        async with self._asking():\n",
        '        ask = replace(ask, as_whom=vars(self).setdefault("_first", self._as_whom()))\n'
        "        async with self._asking():\n",
        (f"{_KUBERNETES}test_interleaved_callers_on_one_connection_never_lend_each_other_their_rights",),
    ),
)

CALLER_CONTROLS: tuple[Mutation, ...] = (*TOKENS, *DEPUTIES, *BROWSERS, *ANSWERS)
