"""What stands around an MCP server that is reached over HTTP; loaded by `--http` alone (D17, D31).

`running.serve_http` listens; `application.around` puts the layers around the framework's app, outer to inner:

    probes     /healthz, /readyz, the OAuth metadata: the only answers without a token
    shedding   so many requests at once; more wait a little, then get 503 and Retry-After
    places     Host and Origin (T11)
    browsers   /approvals alone: a signed-in browser's cookie becomes its token (`approvals_sessions`)
    bearers    the token: who calls, with which scopes (T3); sets `auth.callers.inbound`
    bodies     how long a request may be; the scope that a tools/call needs (403)
    FastMCP    the MCP endpoint, stateless, and the further routes

Each layer is an ASGI application that is given the next one.
"""
