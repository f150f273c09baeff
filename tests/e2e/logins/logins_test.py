"""Logins: `trainmake login`, and where else one is found."""

import base64
import json
import os
import pty
import select

from registries import BASIC, PASSWORD, Authority, Proxy, TokenService, inspect, login_file, registry
from story import BINARY, DEADLINE_S, Story

FILE = 'code "c" { srcs = glob "code/**" }\nimage "i" { code = "code:c", base = "scratch" }\n'


class LoginStory(Story):
    def project(self, port, space="", scheme=""):
        return self.place({"TRAINSPACE.lua": f'registry "hub" {{ url = "{scheme}127.0.0.1:{port}/team"{space} }}\ndefault_registry "hub"\n', "TRAINFILE.lua": FILE,
                           "code/a.py": "print(1)\n"})

    def kept(self, place):
        return place.home / ".config/trainmake/logins.json"

    def log_in(self, place, *words, password=PASSWORD, **more):
        return place.ask("login", *words, "--user", "somebody", "--password-stdin", stdin=password + "\n", **more)

    def assert_is_secret(self, place, *answers):
        """The password is in no answer, and in no file but the one that keeps it."""
        encoded = base64.b64encode(f"somebody:{PASSWORD}".encode()).decode()
        for answer in answers:
            self.assertNotIn(PASSWORD, answer.text)
            self.assertNotIn(encoded, answer.text)
        for path in [*place.root.rglob("*"), *place.home.rglob("*")]:
            if path.is_file() and path != self.kept(place):
                self.assertNotIn(PASSWORD.encode(), path.read_bytes(), str(path))


class Keeping(LoginStory):
    def check_kept(self, port, **project):
        place = self.project(port, **project)
        wrong = self.log_in(place, "hub", password="wrong one").exits(3)
        self.assert_told(wrong.err, f"`127.0.0.1:{port}` does not take the login of `somebody`", "Nothing was kept")
        self.assertNotIn("wrong one", wrong.text)
        self.assertFalse(self.kept(place).exists())
        told = self.log_in(place, "hub").exits(0)
        self.assert_told(told.err, f"logged in to 127.0.0.1:{port} as `somebody`")
        self.assertEqual(self.kept(place).stat().st_mode & 0o777, 0o600)
        listed = place.ask("login", "--json").exits(0)
        self.assertEqual([(each["registry"], each["user"]) for each in listed.lines], [(f"127.0.0.1:{port}", "somebody")])
        made = place.ask("image:i", "--json", "--trace", "trace.json").exits(0)
        self.assertEqual(made.finished["pushed"]["layers"], 1)
        self.assert_is_secret(place, told, listed, made, place.ask("login").exits(0))
        place.ask("login", "hub", "--logout").exits(0)
        self.assertEqual(place.ask("login", "--json").exits(0).lines, [])
        place.append("code/a.py", "print(2)\n")
        self.assert_told(place.ask("image:i").exits(3).err, "401", f"`trainmake login 127.0.0.1:{port}`")

    def test_with_basic_authentication(self):
        for kind in ("debian", "distribution"):
            with self.subTest(kind), registry(BASIC, kind=kind) as port:
                self.check_kept(port)
        with registry(kind="memory") as port, Proxy(port, login=f"somebody:{PASSWORD}") as hub:
            self.check_kept(hub.port)

    def test_with_tokens(self):
        for kind, jwks in (("debian", False), ("distribution", False), ("distribution", True)):
            with self.subTest(kind, jwks=jwks), TokenService(jwks) as tokens, registry(tokens.configuration(), kind=kind) as port:
                self.check_kept(port)
                self.assertIn(["repository:team/i:pull,push"], tokens.asked)

    def test_over_tls(self):
        with Authority() as authority, registry(BASIC, tls=authority) as port:
            place = self.project(port, scheme="https://", space=f', ca = "{authority.ca}"')
            self.log_in(place, "hub").exits(0)
            place.make("image:i")

    def test_where_nobody_is_asked_who_he_is_that_is_told(self):
        with registry() as port:
            place = self.project(port)
            self.assert_told(self.log_in(place, f"127.0.0.1:{port}").exits(0).err, "lets everybody in")

    def test_what_is_no_registry_is_told(self):
        place = self.project(1)
        self.assert_told(self.log_in(place, "hut").exits(2).err, "Did you mean `hub`?")
        self.assert_told(place.ask("login", "hub").exits(2).err, "no terminal", "--password-stdin")
        self.assert_told(place.ask("login", "--logout").exits(2).err, "needs a registry")
        with registry() as port, Proxy(port, lambda method, path, number: 404) as hub:
            self.assert_told(self.log_in(place, f"127.0.0.1:{hub.port}").exits(3).err, "is no registry")
        self.assertFalse(self.kept(place).exists())

    def test_other_logins_stay(self):
        with registry(BASIC) as one, registry(BASIC) as other:
            place = self.project(one)
            for port in (one, other):
                self.log_in(place, f"127.0.0.1:{port}").exits(0)
            place.ask("login", f"127.0.0.1:{one}", "--logout").exits(0)
            self.assertEqual([each["registry"] for each in place.ask("login", "--json").exits(0).lines], [f"127.0.0.1:{other}"])


class Asking(LoginStory):
    def test_a_person_is_asked_and_the_password_is_not_shown(self):
        with registry(BASIC) as port:
            place = self.project(port)
            process, terminal = pty.fork()
            if process == 0:
                os.execve(BINARY, ["trainmake", "-C", str(place.root), "login", "hub"], place.env)
            seen = self.seen_until(terminal, b"User at")
            os.write(terminal, b"somebody\n")
            seen += self.seen_until(terminal, b"Password: ")
            os.write(terminal, PASSWORD.encode() + b"x\x7f\n")
            seen += self.seen_until(terminal, b"logged in to")
            os.waitpid(process, 0)
            os.close(terminal)
            self.assertNotIn(PASSWORD.encode(), seen)
            place.make("image:i")

    def seen_until(self, terminal, words):
        seen = b""
        while words not in seen:
            ready, _, _ = select.select([terminal], [], [], DEADLINE_S)
            self.assertTrue(ready, seen)
            seen += os.read(terminal, 4096)
        return seen


class Finding(LoginStory):
    def check(self, place, env):
        place.append("code/a.py", f"print({len(place.read('code/a.py'))})\n")
        self.assertEqual(place.ask("image:i", "--json", env=env).exits(0).finished["pushed"]["layers"], 1)

    def test_in_the_environment_first_then_ours_then_others(self):
        with registry(BASIC) as port:
            place = self.project(port)
            variable = f"TRAINMAKE_LOGIN_127_0_0_1_{port}"
            place.write("others/config.json", login_file(port))
            self.check(place, {"DOCKER_CONFIG": str(place.path("others"))})
            self.check(place, {"REGISTRY_AUTH_FILE": str(place.path("others/config.json"))})
            place.write("others/config.json", login_file(port, "wrong one"))
            self.log_in(place, "hub").exits(0)
            self.check(place, {"DOCKER_CONFIG": str(place.path("others"))})
            self.check(place, {variable: f"somebody:{PASSWORD}"})
            place.append("code/a.py", "print(2)\n")
            wrong = place.ask("image:i", env={variable: "somebody:wrong one"}).exits(3)
            self.assert_told(wrong.err, "401", "`somebody`", variable)
            self.assertNotIn("wrong one", wrong.text)
            self.assert_told(place.ask("image:i", env={variable: "wrong"}).exits(2).err, variable, "user:password")
            listed = place.ask("login", "--json", env={variable: "somebody:wrong one", "DOCKER_CONFIG": str(place.path("others"))}).exits(0)
            self.assertEqual([each["from"] for each in listed.lines], [f"${variable}", str(self.kept(place)), str(place.path("others/config.json"))])
            self.assertNotIn("wrong one", listed.text)

    def test_a_helper_for_all_registries_is_asked_for_each(self):
        with registry(BASIC) as port:
            place = self.project(port)
            answer = json.dumps({"Username": "somebody", "Secret": PASSWORD})
            place.write("bin/docker-credential-all", f"#!/bin/sh\n[ \"$(cat)\" = 127.0.0.1:{port} ] && echo '{answer}'\n", 0o755)
            place.write("others/config.json", '{"credsStore":"all"}')
            env = {"DOCKER_CONFIG": str(place.path("others")), "PATH": f"{place.path('bin')}:/usr/bin:/bin"}
            self.check(place, env)
            place.write("others/config.json", '{"credsStore":"gone"}')
            place.append("code/a.py", "print(3)\n")
            self.assert_told(place.ask("image:i", env=env).exits(3).err, "`docker-credential-gone` failed", "needs no helper")

    def test_the_refusal_says_whose_login_it_was(self):
        with registry(BASIC) as port:
            place = self.project(port)
            place.write("others/config.json", login_file(port, "wrong one"))
            wrong = place.ask("image:i", env={"DOCKER_CONFIG": str(place.path("others"))}).exits(3)
            self.assert_told(wrong.err, "`somebody`", str(place.path("others/config.json")), "trainmake login")

    def test_a_login_that_ends_in_the_middle_is_an_error_that_says_so(self):
        with registry() as port, Proxy(port, login=f"somebody:{PASSWORD}") as hub:
            place = self.project(hub.port)
            env = {f"TRAINMAKE_LOGIN_127_0_0_1_{hub.port}": f"somebody:{PASSWORD}"}
            hub.fault = lambda method, path, number: 401 if method == "PUT" and "/manifests/" in path else None
            self.assert_told(place.ask("image:i", env=env).exits(3).err, "401", "`somebody`")
            hub.fault = None
            place.ask("image:i", env=env).exits(0)
            hub.login = None
            inspect(hub.port, "team/i")
