"""MiniStack as if a proxy in front of it ended TLS: it holds the seed bucket's policy, which refuses plain HTTP."""

from ministack import app

serve = app.app


async def behind_tls(scope, receive, send):
    await serve({**scope, "scheme": "https"} if scope["type"] == "http" else scope, receive, send)


app.app = behind_tls
app.main()
