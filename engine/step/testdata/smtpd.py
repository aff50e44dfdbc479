"""A mail server for the tests: aiosmtpd of Debian, with the ways in which mail servers say no.

Usage: smtpd.py plain|starttls|tls [CERT KEY [USER PASSWORD]]. It prints its port on the first line, then one JSON object
for each message that it took. The recipient's name says what it answers: busy@ 451, gone@ 550, full@ 552 after the
message, hangup@ nothing at all after the message.
"""
import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.partition("@")[0]
        if name == "busy":
            return "451 4.3.0 try again later"
        if name == "gone":
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        names = [a.partition("@")[0] for a in envelope.rcpt_tos]
        if "full" in names:
            return "552 5.2.2 mailbox full"
        print(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos, "auth": str(session.auth_data or ""),
                          "tls": session.ssl is not None, "data": envelope.content.decode()}), flush=True)
        if "hangup" in names:
            server.transport.abort()
            await asyncio.sleep(3600)
        return "250 2.0.0 taken as 17"


def authenticate(user, password):
    def check(server, session, envelope, mechanism, data):
        good = data.login.decode() == user and data.password.decode() == password
        return AuthResult(success=good, handled=False, auth_data=user if good else None)
    return check


async def main(kind, cert=None, key=None, user=None, password=None):
    context = None
    if cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
    more = {}
    if user:
        more = dict(authenticator=authenticate(user, password), auth_required=True, auth_require_tls=kind == "starttls")

    def session():
        return SMTP(Handler(), enable_SMTPUTF8=True, hostname="mail.test", tls_context=context if kind == "starttls" else None,
                    require_starttls=kind == "starttls", **more)

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=context if kind == "tls" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
