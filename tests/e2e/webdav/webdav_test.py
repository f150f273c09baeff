"""A store that is a folder of a web server: a real nginx on loopback, with WebDAV's lists or its own, with and without TLS and a login."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from registries import HTPASSWD, PASSWORD, Authority, free_port, listens, program
from story import Story, eventually

MODULE = "/usr/lib/nginx/modules/ngx_http_dav_ext_module.so"
LISTS = {
    "propfind": "dav_ext_methods PROPFIND OPTIONS;",
    "index": "autoindex on; autoindex_format json;",
    "none": "",
}
CONFIGURATION = """
load_module {module};
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ }}
http {{
  log_format asked '$request_method $uri $status';
  access_log {folder}/asked asked;
  client_body_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp; uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;
  server {{
    listen 127.0.0.1:{port} {tls};
    root {folder}/www;
    client_max_body_size {most};
    dav_methods {methods};
    create_full_put_path {makes};
    {lists}
    {more}
  }}
}}
"""


class Nginx:
    """Serves `www`. Stops with its `with` block."""

    def __init__(self, lists="propfind", tls=None, login=False, makes_folders=True, most="0", methods="PUT DELETE MKCOL"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nginx-"))
        self.port = free_port()
        self.www = self.folder / "www"
        self.child = None
        secured = f"ssl_certificate {tls.certificate}; ssl_certificate_key {tls.key};" if tls else ""
        asking = f"auth_basic here; auth_basic_user_file {self.folder}/htpasswd;" if login else ""
        (self.folder / "htpasswd").write_text(HTPASSWD)
        (self.folder / "nginx.conf").write_text(CONFIGURATION.format(
            module=MODULE, folder=self.folder, port=self.port, tls="ssl" if tls else "", most=most, methods=methods, makes="on" if makes_folders else "off",
            lists=LISTS[lists], more=secured + asking))
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}/sets"

    def start(self):
        with open(self.folder / "log", "ab") as log:
            words = [program("nginx"), "-e", str(self.folder / "error.log"), "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]
            self.child = subprocess.Popen(words, stdout=log, stderr=log)
        eventually(lambda: listens(self.port, self.child, self.folder / "log"), "it does not listen")

    def stop(self):
        self.child.terminate()
        self.child.wait()

    def __enter__(self):
        self.www.mkdir()
        for path in (self.folder, self.www):
            path.chmod(0o777)  # its workers are somebody else where root starts it
        self.start()
        return self

    def __exit__(self, *trouble):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self):
        """Forgets what it was asked."""
        self.stop()
        (self.folder / "asked").unlink()
        self.start()

    def asked(self):
        return (self.folder / "asked").read_text().splitlines()

    def objects(self):
        """What lies there, less what trainmake keeps for itself."""
        paths = (path.relative_to(self.www) for path in self.www.rglob("*") if path.is_file())
        return sorted(str(path) for path in paths if "~.trainmake" not in path.parts)

    def read(self, name):
        return (self.www / name).read_text()


class Webdav(Story):
    def project(self, nginx, more="", **files):
        return self.tiny(**{"TRAINSPACE.lua": f'store "web" {{ url = "{nginx.url}"{more} }}\ndefault_store "web"\n', **files})

    def test_files_lie_there_and_what_did_not_change_asks_nobody(self):
        for lists in ("propfind", "index"):
            with self.subTest(lists), Nginx(lists) as nginx:
                place = self.project(nginx, **{"data/c d+ü.txt": "odd\n"})
                self.assertEqual(place.make("data:letters", "data:solver").finished["uploaded"]["objects"], 4)
                self.assertEqual(nginx.objects(), ["sets/letters/a.txt", "sets/letters/b.txt", "sets/letters/c d+ü.txt", "sets/solver/solver.json"])
                self.assertEqual(nginx.read("sets/letters/c d+ü.txt"), "odd\n")
                nginx.stop()
                answer = place.make("data:letters", "data:solver")
                self.assert_nothing_ran(answer)
                self.assertEqual(sum(answer.finished["requests"].values()), 0)
                nginx.start()

    def test_one_changed_file_is_sent_and_one_that_went_away_is_removed(self):
        with Nginx() as nginx:
            place = self.project(nginx)
            place.make("data:letters")
            place.write("data/a.txt", "other\n")
            nginx.restart()
            answer = place.make("data:letters")
            self.assertEqual(answer.finished["uploaded"], {"objects": 1, "bytes": 6})
            count = sum(answer.finished["requests"].values())
            eventually(lambda: len(nginx.asked()) == count, f"it was not asked {count} times")
            self.assertLessEqual(count, 8, nginx.asked())
            self.assertEqual(nginx.read("sets/letters/a.txt"), "other\n")
            place.remove("data/b.txt")
            self.assertEqual(place.make("data:letters").finished["deleted"], {"objects": 1})
            self.assertEqual(nginx.objects(), ["sets/letters/a.txt"])

    def test_folders_are_made_where_the_server_does_not(self):
        with Nginx(makes_folders=False) as nginx:
            place = self.project(nginx, **{"data/deep/er/x.txt": "x"})
            place.append("TRAINFILE.lua", 'data "deep" { files = glob "data/deep/**" }\n')
            place.make("data:deep")
            self.assertEqual(nginx.objects(), ["sets/deep/er/x.txt"])

    def test_empty_folders_are_made_there_and_go_again(self):
        with Nginx() as nginx:
            place = self.project(nginx)
            place.append("TRAINFILE.lua", 'data "deep" { files = glob "data/**", empty_folders = true }\n')
            place.path("data/deep/er").mkdir(parents=True)
            place.make("data:deep")
            self.assertTrue((nginx.www / "sets/deep/deep/er").is_dir())
            self.assert_nothing_ran(place.make("data:deep"))
            place.ask("data", "verify", "data:deep").exits(0)
            place.path("data/deep/er").rmdir()
            place.make("data:deep")
            self.assertFalse((nginx.www / "sets/deep/deep/er").exists())
            self.assertTrue((nginx.www / "sets/deep/deep").is_dir())

    def test_a_folder_that_may_hide_what_others_put_there_makes_no_way_for_a_file(self):
        for lists in ("propfind", "index"):
            with self.subTest(lists), Nginx(lists) as nginx:
                place = self.project(nginx, **{"in/g/h/i": "x"})
                place.append("TRAINFILE.lua", 'data "turned" { files = glob "in/**" }\n')
                place.make("data:turned")
                folder = nginx.www / "sets/turned/g"
                folder.chmod(0o777)
                (folder / ".others").write_text("theirs")
                shutil.rmtree(place.path("in/g"))
                place.write("in/g", "now a file\n")
                self.assert_told(place.ask("data:turned").exits(3).err, "a folder is called so", f"{nginx.url}/turned/g/ there by hand")
                self.assertEqual((folder / ".others").read_text(), "theirs")
                self.assertEqual((folder / "h/i").read_text(), "x", "ours goes once its file can take the place")
                shutil.rmtree(folder)
                place.make("data:turned")
                self.assertEqual(nginx.read("sets/turned/g"), "now a file\n")
                self.assert_nothing_ran(place.make("data:turned"))

    def test_a_server_that_makes_no_folders_is_told_of_an_empty_one(self):
        with Nginx(methods="PUT DELETE") as nginx:
            place = self.project(nginx)
            place.append("TRAINFILE.lua", 'data "deep" { files = glob "data/**", empty_folders = true }\n')
            place.path("data/deep").mkdir()
            self.assert_told(place.ask("data:deep").exits(3).err, "Cannot keep the empty folder `deep/deep/`", "MKCOL", "`empty_folders`")

    def test_a_large_file_travels_whole(self):
        with Nginx() as nginx:
            content = os.urandom(40_000_000)
            place = self.project(nginx, **{"data/big.txt": content})
            place.make("data:letters")
            self.assertTrue((nginx.www / "sets/letters/big.txt").read_bytes() == content)

    def test_another_clone_sends_nothing_and_finds_all_in_order(self):
        for lists in ("propfind", "index"):
            with self.subTest(lists), Nginx(lists) as nginx:
                place = self.project(nginx)
                place.write("data/.hidden.txt", "h\n")
                place.replace("TRAINFILE.lua", 'glob "data/*.txt"', '{ "data/a.txt", "data/b.txt", "data/.hidden.txt" }')
                place.make("data:letters")
                place.ask("data", "verify", "data:letters").exits(0)
                clone = place.clone()
                self.addCleanup(clone.close)
                self.assertEqual(clone.make("data:letters").finished["uploaded"]["objects"], 0)
                clone.ask("data", "verify", "data:letters").exits(0)
                (nginx.www / "sets/letters/b.txt").write_text("bad\n")
                self.assert_told(clone.ask("data", "verify", "data:letters").exits(1), "b.txt", "has other bytes")

    def test_two_clones_that_change_it_in_turn_see_each_other(self):
        with Nginx() as nginx:
            place = self.project(nginx)
            place.make("data:letters")
            clone = place.clone()
            self.addCleanup(clone.close)
            clone.write("data/a.txt", "theirs, and longer\n")
            clone.make("data:letters")
            place.write("data/b.txt", "ours, and longer\n")
            place.make("data:letters")
            self.assertEqual((nginx.read("sets/letters/a.txt"), nginx.read("sets/letters/b.txt")), ("aaa\n", "ours, and longer\n"))

    def test_a_place_within_another_is_seen(self):
        with Nginx() as nginx:
            place = self.project(nginx, **{"A/q/x": "outer", "B/x": "inner"})
            place.append("TRAINFILE.lua", 'data "inner" { files = glob "B/**", root = "B", prefix = "p/q" }\n')
            place.make("data:inner")
            place.replace("TRAINFILE.lua", 'data "inner" { files = glob "B/**", root = "B", prefix = "p/q" }\n',
                          'data "outer" { files = glob "A/**", root = "A", prefix = "p" }\n')
            self.assert_told(place.ask("data:outer").exits(2), "data:inner", "`prefix`")
            self.assertEqual(nginx.read("sets/p/q/x"), "inner")

    def test_a_login_over_tls(self):
        with Authority() as authority, Nginx(tls=authority, login=True) as nginx:
            place = self.project(nginx, more=', user = "somebody", ca = "ca.crt"', **{"ca.crt": authority.ca.read_bytes()})
            word = {"TRAINMAKE_STORE_PASSWORD_WEB": PASSWORD}
            place.make("data:letters", env=word)
            self.assertEqual(len(nginx.objects()), 2)
            self.assertEqual(sum(place.make("data:letters").finished["requests"].values()), 0)  # and asks for no password
            place.append("data/a.txt", "more\n")
            self.assert_told(place.ask("data:letters").exits(2), "TRAINSPACE.lua:1", "TRAINMAKE_STORE_PASSWORD_WEB", "~/.netrc")
            wrong = place.ask("data:letters", env={"TRAINMAKE_STORE_PASSWORD_WEB": "wrong word"}).exits(3)
            self.assert_told(wrong, "401", "check TRAINMAKE_STORE_PASSWORD_WEB")
            self.assertNotIn("wrong word", str(wrong))
            (place.home / ".netrc").write_text(f'machine 127.0.0.1 login somebody password "{PASSWORD}"\n')
            place.make("data:letters")
            self.assertEqual(nginx.read("sets/letters/a.txt"), "aaa\nmore\n")
            place.write("TRAINSPACE.lua", f'store "web" {{ url = "{nginx.url}", user = "somebody" }}\ndefault_store "web"\n')
            place.append("data/a.txt", "more\n")
            self.assert_told(place.ask("data:letters").exits(3), "Cannot trust", "`ca = ")

    def test_no_password_is_sent_to_another_machine_over_plain_http(self):
        place = self.tiny(**{"TRAINSPACE.lua": 'store "web" { url = "http://data.example.com/x", user = "me" }\ndefault_store "web"\n'})
        answer = place.ask("data:letters", env={"TRAINMAKE_STORE_PASSWORD_WEB": PASSWORD}).exits(2)
        self.assert_told(answer, "plain http", "https://")
        self.assertNotIn(PASSWORD, str(answer))

    def test_what_the_server_has_not_switched_on_is_told(self):
        with Nginx(lists="none") as nginx:
            place = self.project(nginx)
            place.make("data:letters")
            self.assert_told(place.ask("data", "verify", "data:letters").exits(3), "dav_ext_methods PROPFIND", "autoindex_format json")
        with Nginx(most="1k") as nginx:
            self.assert_told(self.project(nginx, **{"data/c.txt": "x" * 600_000}).ask("data:letters").exits(3), "413", "client_max_body_size 0")
        with Nginx(methods="off") as nginx:
            self.assert_told(self.project(nginx).ask("data:letters").exits(3), "405", "dav_methods PUT DELETE MKCOL")

    def test_a_server_that_is_down_is_told_and_what_was_sent_stays(self):
        with Nginx() as nginx:
            place = self.project(nginx)
            place.make("data:letters")
            nginx.stop()
            place.write("data/a.txt", "other\n")
            self.assert_told(place.ask("data:letters").exits(3), "Cannot reach", f"127.0.0.1:{nginx.port}")
            nginx.start()
            self.assertEqual(place.make("data:letters").finished["uploaded"]["objects"], 1)
            self.assertEqual(nginx.read("sets/letters/a.txt"), "other\n")
