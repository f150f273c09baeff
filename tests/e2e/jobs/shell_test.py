"""`run --shell`: a shell where a job would run, in its folder and in its image; nothing of it is remembered."""

import fcntl
import os
import pty
import subprocess
import termios

from busybox_image import InBusybox
from story import BINARY, Story, eventually


def typed(place, *words, lines):
    """What comes of words typed at a terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen([BINARY, *words], cwd=place.root, env={**place.env, "TERM": "xterm"}, stdin=follower, stdout=follower, stderr=follower,
                               start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(follower)
    seen = b""
    os.write(leader, lines.encode())
    while True:
        try:
            more = os.read(leader, 1 << 16)
        except OSError:
            break
        if not more:
            break
        seen += more
    os.close(leader)
    return process.wait(timeout=60), seen.decode()


class AShell(Story):
    def test_it_is_where_the_job_would_run(self):
        place = self.place({"code/main.sh": "", "data/a.txt": "aaa\n"})
        place.write("TRAINFILE.lua", '''
            code "c" { srcs = glob "code/**", main = "main.sh" }
            data "d" { files = glob "data/**" }
            image "i" { code = "code:c", base = "scratch" }
            job "j" { image = "image:i", data = { "data:d" }, params = { lr = 0.5 }, env = { MODE = "fast" }, secrets = { "TOKEN" } }
        ''')
        answer = place.ask("run", "--shell", "job:j", stdin='ls; cat "$TRAINMAKE_DATA_DIR/a.txt"; echo $MODE $TOKEN; exit 7\n', env={"TOKEN": "s3cr3t"}).exits(7)
        self.assertEqual(answer.out, "main.sh\naaa\nfast s3cr3t\n")
        self.assert_told(answer.err, "main.sh --lr 0.5")
        self.assertEqual(place.runs(), [])
        self.assertEqual(place.files_below(".trainmake/shells"), [])
        self.assertEqual(place.plan("job:j")["totals"]["jobs"], 1)

    def test_it_has_the_terminal(self):
        place = self.tiny()
        code, seen = typed(place, "run", "--shell", "job:train", lines="test -t 0 && test -t 1 && echo has a term''inal\nexit 3\n")
        self.assertIn("has a terminal", seen)
        self.assertEqual(code, 3, seen)

    def test_what_a_killed_one_left_goes_with_the_next(self):
        place = self.tiny()
        process = subprocess.Popen([BINARY, "run", "--shell", "job:train"], cwd=place.root, env=place.env, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        shells = place.path(".trainmake/shells")
        eventually(lambda: shells.exists() and list(shells.glob("*/run/order")), "it made nothing ready")
        process.kill()
        process.wait()
        process.stdin.close()
        place.ask("run", "--shell", "job:train", stdin="true\n").exits(0)
        self.assertEqual(place.files_below(".trainmake/shells"), [])

    def test_it_is_for_one_job(self):
        place = self.tiny()
        self.assert_told(place.ask("run", "--shell", "image:tiny").exits(2), "A shell is for one job")
        self.assert_told(place.ask("run", "--shell", "//...").exits(2), "A shell is for one job")


class AShellInAContainer(InBusybox):
    def test_it_is_in_the_image(self):
        place = self.in_busybox("")
        answer = place.ask("run", "--shell", "--container", "job:j", stdin="pwd; ls /data; echo $OF; (: > /data/x) 2>/dev/null || echo read-only; exit 5\n").exits(5)
        self.assertEqual(answer.out, "/code\na.txt\nagain\nimage\nread-only\n")
        self.assertEqual(place.runs(), [])

    def test_it_has_a_terminal_there(self):
        place = self.in_busybox("")
        code, seen = typed(place, "run", "--shell", "--container", "job:j", lines="busybox tty; busybox stty size; test -t 0 && echo has a term''inal\nexit 3\n")
        self.assertIn("has a terminal", seen)
        self.assertIn("/dev/", seen)
        self.assertEqual(code, 3, seen)
