"""What is not as it should be: a workspace that was copied with its state, a log that lags or cannot be read, characters that are none, a login's wrong host."""

import base64
import http.server
import json
import re
import subprocess
import threading
import time
import unittest

import uai_server
from story import eventually
from uai_test import OnMnist


class Trouble(OnMnist):
    def test_a_workspace_that_was_copied_with_its_state_has_the_same_job(self):
        server = self.cloud()
        place = self.project(server, args=", wait = true")
        place.ask("--no-wait", "job:mnist").exits(0)
        copy = place.clone(with_state=True)
        self.addCleanup(copy.close)
        copy.env.update({**place.env, "HOME": str(place.home)})
        for each in (place, copy):
            each.append("code/train.py", "print('edited')\n")
            each.ask("--no-wait", "job:mnist").exits(0)
        eventually(lambda: self.states(server) == ["Doing", "Doing"], "they do not start")
        for each in (place, copy, place):
            each.ask("ps").exits(0)
        server.open()
        for each in (place, copy):
            each.ask("job:mnist").exits(0)
            self.assertEqual(each.pull("job:mnist", "model.txt"), "3\n")
        self.assertEqual(self.states(server), ["Done", "Done"])

    def test_a_log_that_lags_behind_the_end_is_waited_for(self):
        server = self.cloud()
        place = self.project(server)
        looks, whole = [], server.on_GetUAITrainRunningLog

        def lagging(own):
            over = server.job(own).state == "Done"
            looks.extend([1] * over)
            return whole(own) if len(looks) > 2 else {"RunningLog": None}

        server.on_GetUAITrainRunningLog = lagging
        self.assert_told(place.ask("job:mnist").exits(0), "its log is waited for: it tells of no line yet", "loss=3")
        self.assertEqual(place.runs()[0]["metrics"], {"loss": 3})

    def test_a_log_that_cannot_be_read_is_read_by_the_next(self):
        server = self.cloud()
        place = self.project(server)
        server.trouble = lambda action, _: (150, "unavailable") if action == "GetUAITrainRunningLog" else None
        self.assert_told(place.ask("job:mnist").exits(3), "its log is waited for", "[150] unavailable", "cannot be read to its end")
        server.trouble = None
        self.assertEqual(place.make("job:mnist").finished["submitted"], 0)
        self.assertEqual(place.runs()[0]["metrics"], {"loss": 3})
        self.assert_told(place.ask("logs", "job:mnist").exits(0), "loss=3")

    def test_a_service_that_takes_its_time_before_the_first_job_is_told_of(self):
        server = self.cloud()
        place = self.project(server)
        asked = []
        server.trouble = lambda action, _: time.sleep(0 if asked else 2) or asked.append(action)
        self.assert_told(place.ask("job:mnist").exits(0), "Platform `uai` is asked, and has not answered yet")
        place.append("code/train.py", "print('edited')\n")
        self.assertNotIn("has not answered yet", place.ask("job:mnist").exits(0).err)

    def test_characters_that_are_none_hide_no_job(self):
        class Json:
            loads = staticmethod(json.loads)

            @staticmethod
            def dumps(value, **how):
                class Text(str):
                    def encode(self, *_):
                        return str.encode(self).replace(b"training", b"\xd1\xb5\xc1\xb7").replace(b"first", b"half \\ud83d")

                return Text(json.dumps(value, **how))

        uai_server.json = Json
        self.addCleanup(setattr, uai_server, "json", json)
        server = self.cloud()
        place = self.project(server)
        self.assert_told(place.ask("job:mnist").exits(0), "\u0475\ufffd\ufffd on 1 gpu")
        self.assertEqual(place.runs()[0]["metrics"], {"loss": 3})

    def test_a_login_goes_to_no_endpoint_elsewhere(self):
        heard = []

        class Elsewhere(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                heard.append(self.headers.get("Authorization"))
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="x"')
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_HEAD = do_POST = answer

            def log_message(self, *_):
                pass

        addresses = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
        if not addresses:
            self.skipTest("this machine has no address but its own")
        other = http.server.ThreadingHTTPServer((addresses[0], 0), Elsewhere)
        threading.Thread(target=other.serve_forever, daemon=True).start()
        self.addCleanup(other.server_close)
        self.addCleanup(other.shutdown)
        server = self.cloud()
        place = self.project(server)
        (place.home / ".docker").mkdir()
        login = base64.b64encode(b"me@example.com:hub-password").decode()
        (place.home / ".docker/config.json").write_text(json.dumps({"auths": {"uhub.service.ucloud.cn": {"auth": login}}}))
        there = f"http://{addresses[0]}:{other.server_port}"
        space = re.sub(r'(uhub.service.ucloud.cn", )endpoint = "[^"]*"', rf'\1endpoint = "{there}"', place.read("TRAINSPACE.lua"))
        place.write("TRAINSPACE.lua", space)
        self.assert_told(place.ask("image:caffe-mnist").exits(3), "its `endpoint` is at", "reach it by https")
        self.assertTrue(heard)
        self.assertEqual([each for each in heard if each], [])


if __name__ == "__main__":
    unittest.main()
