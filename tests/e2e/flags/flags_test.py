"""Flags, wrong words, exit codes, completion, trace."""

import json
import os
import shutil
import subprocess
import unittest

import story
from story import TRAIN, Story


class WrongWords(Story):
    def test_an_unknown_flag_is_a_usage_error_with_the_nearest(self):
        self.assert_told(self.tiny().ask("job:train", "--froce").exits(2), "--force")

    def test_an_unknown_label_is_a_usage_error_with_the_nearest(self):
        self.assert_told(self.tiny().ask("job:tarin").exits(2), "job:train")

    def test_an_unknown_command_is_a_usage_error_with_the_nearest(self):
        self.assert_told(self.tiny().ask("paln", "job:train").exits(2), "plan")

    def test_an_empty_word_is_a_usage_error(self):
        for words in ([""], ["plan", ""], ["job:train", ""]):
            self.assert_told(self.tiny().ask(*words).exits(2).err, "empty")

    def test_what_is_typed_next_is_quoted_where_a_shell_needs_it(self):
        place = self.place({"TRAINSPACE.lua": "", "p q/TRAINFILE.lua": 'image "i" { base = "scratch" }\njob "bad" { image = "image:i", command = { "false" } }\n'})
        self.assert_told(place.ask("p q/job:bad").exits(1).err, "`trainmake 'p q/job:bad' --retry`")
        self.assertEqual(place.ask("query", "p q/job:bad").exits(0).out, "p q/job:bad\n")

    def test_an_unknown_kind_in_a_label_is_a_usage_error(self):
        self.tiny().ask("jib:train").exits(2)

    def test_an_unknown_platform_is_a_usage_error_with_those_there_are(self):
        place = self.tiny()
        place.append("TRAINSPACE.lua", 'platform "cluster" { type = "local" }\n')
        self.assert_told(place.ask("job:train", "--platform", "clutser").exits(2), "cluster")

    def test_without_a_trainfile_it_says_how_to_begin(self):
        self.assert_told(self.place().ask("job:train").exits(2), "trainmake new")

    def test_a_usage_error_in_json_is_an_error_event_and_finished_with_2(self):
        answer = self.tiny().ask("job:tarin", "--json").exits(2)
        self.assertEqual(answer.finished["exit_code"], 2)
        self.assert_told(answer.messages, "job:train")

    def test_a_wrong_number_of_jobs_is_a_usage_error(self):
        for wrong in ("0", "-1", "many"):
            self.tiny().ask("-j", wrong, "job:train").exits(2)


    def test_a_label_in_the_place_of_a_number_is_not_taken_for_one(self):
        self.assert_told(self.tiny().ask("-j", "job:eval").exits(2), "trainmake -j N job:eval")

    def test_a_flag_of_a_run_without_a_label_is_a_usage_error(self):
        for flag in ("--force", "--retry", "-k", "-n", "--no-wait"):
            self.assert_told(self.tiny().ask(flag).exits(2), "needs a label")


class Flags(Story):
    def test_c_starts_from_another_folder(self):
        place = self.tiny()
        place.write("elsewhere/x", "")
        self.assertEqual(place.make("-C", "..", "job:train", cwd="elsewhere").ran, TRAIN)

    def test_c_to_nowhere_is_a_usage_error(self):
        self.tiny().ask("-C", "nowhere", "job:train").exits(2)

    def test_from_a_folder_below_it_is_the_same_project(self):
        place = self.tiny()
        self.assertEqual(place.make("job:train", cwd="code").ran, TRAIN)

    def test_trace_is_a_chrome_trace(self):
        place = self.tiny()
        place.ask("job:train", "--trace", "trace.json").exits(0)
        trace = json.loads(place.read("trace.json"))
        spans = [event for event in (trace["traceEvents"] if isinstance(trace, dict) else trace) if event["ph"] in "XB"]
        self.assertTrue(any("job:train" in span["name"] for span in spans), spans)

    def test_a_trace_that_cannot_be_written_is_told_before_anything_runs(self):
        place = self.tiny()
        for path in ("no/such/folder/trace.json", "code"):
            answer = place.ask("job:train", "--trace", path, "--json").exits(2)
            self.assert_told(answer.messages, "trace")
            self.assertFalse(place.path("no").exists())
        self.assertEqual(place.make("job:train", "--trace", "trace.json").ran, TRAIN)
        place.ask("job:train", "--trace", "no/such/folder/trace.json").exits(2)  # though there is nothing to do

    def test_no_colour_when_piped(self):
        self.assertNotIn("\x1b", self.tiny().ask("job:train", env={"TERM": "xterm-256color"}).exits(0).text)

    def test_version_and_help_are_answers(self):
        place = self.tiny()
        self.assertTrue(place.ask("--version").exits(0).out.strip())
        for words in (["--help"], ["help"], ["plan", "--help"]):
            self.assert_told(place.ask(*words).exits(0).out, "plan")

    def test_version_and_help_are_json_when_asked_so(self):
        place = self.tiny()
        self.assertTrue(place.ask("--version", "--json").exits(0).only["version"])
        self.assert_told(place.ask("help", "job", "--json").exits(0).only["text"], "metrics")
        self.assertIsNone(place.ask("help", "--json").exits(0).only["topic"])

    def test_help_knows_topics_and_suggests_others(self):
        place = self.tiny()
        for topic in ("job", "data", "code", "image"):
            self.assert_told(place.ask("help", topic).exits(0).out, topic)
        place.ask("help", "jbo").exits(2)

    def test_every_command_has_help(self):
        for command in ("plan", "why", "query", "graph", "affected", "logs", "attach", "cancel", "pull", "new", "runs", "show", "diff", "ps",
                        "gc", "cache", "doctor"):
            self.assertTrue(self.tiny().ask(command, "--help").exits(0).out.strip(), command)


@unittest.skipUnless(os.path.exists("/dev/full"), "needs /dev/full")
class FullDisk(Story):
    def ask(self, place, *words):
        with open("/dev/full", "wb") as full:
            return subprocess.run([story.BINARY, *words], cwd=place.root, env=place.env, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                                  text=True, timeout=story.DEADLINE_S, check=False)

    def test_an_answer_that_could_not_be_written_is_a_failure(self):
        place = self.tiny()
        place.make("job:train")
        for words in (["query", "//..."], ["runs"], ["plan", "job:eval", "--json"], ["logs", "job:train"], ["job:train", "--json"], ["help"], ["--version"]):
            with self.subTest(words=words):
                done = self.ask(place, *words)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assert_told(done.stderr, "Cannot write to the standard output: No space left on device")

    def test_it_changes_nothing_of_what_a_run_records(self):
        place = self.tiny()
        self.assertEqual(self.ask(place, "job:eval", "--json").returncode, 1)
        self.assert_nothing_ran(place.make("job:eval"))

    def test_another_failure_keeps_its_exit_code(self):
        self.assertEqual(self.ask(self.tiny(), "job:tarin", "--json").returncode, 2)

    def test_a_reader_that_has_enough_is_no_failure(self):
        place = self.tiny()
        process = place.start("query", "//...").process
        process.stdout.close()
        process.wait()
        err = process.stderr.read()
        process.stderr.close()
        self.assertEqual(err, b"")
        place.going.clear()


class Completion(Story):
    def script(self, shell):
        return self.tiny().ask("completion", shell).exits(0).out

    def test_there_is_one_for_each_shell(self):
        for shell in ("bash", "zsh", "fish"):
            self.assert_told(self.script(shell), "trainmake")

    @unittest.skipUnless(shutil.which("bash"), "needs bash")
    def test_bash_reads_its_own(self):
        subprocess.run(["bash", "-n"], input=self.script("bash").encode(), check=True)

    @unittest.skipUnless(shutil.which("bash"), "needs bash")
    def test_bash_completes_labels(self):
        place = self.tiny()
        place.write("complete.sh", self.script("bash") + '''
            spec=$(complete -p trainmake); f=${spec##*-F }; f=${f%% *}
            COMP_WORDS=(trainmake "$1"); COMP_CWORD=1; COMP_LINE="trainmake $1"; COMP_POINT=${#COMP_LINE}
            "$f" trainmake "$1" trainmake
            printf '%s\\n' "${COMPREPLY[@]}"
        ''')
        bin_folder = place.home / "bin"
        bin_folder.mkdir()
        (bin_folder / "trainmake").symlink_to(story.BINARY)
        done = subprocess.run(["bash", "complete.sh", "job:t"], cwd=place.root, env={**place.env, "PATH": f"{bin_folder}:{place.env['PATH']}"},
                              capture_output=True, text=True, timeout=60, check=False)
        # A label holds a colon, at which bash may split words: the rest of it is an answer as well.
        self.assertRegex(done.stdout, r"(?m)^(job:)?train ?$", done.stderr)

    @unittest.skipUnless(shutil.which("bash"), "needs bash")
    def test_bash_completes_values_and_words_of_commands(self):
        place = self.tiny()
        place.write("complete.sh", self.script("bash") + """
            spec=$(complete -p trainmake); f=${spec##*-F }; f=${f%% *}
            COMP_LINE=$1; COMP_POINT=${#COMP_LINE}
            "$f" trainmake
            echo "${COMPREPLY[*]}"
        """)
        bin_folder = place.home / "bin"
        bin_folder.mkdir()
        (bin_folder / "trainmake").symlink_to(story.BINARY)
        for typed, expected in (("export ", "uai"), ("export uai job:tr", "train"), ("export uai job:train --dialect ", "2017"), ("run --local --variant ", "cpu gpu"),
                                ("run --local --contract s", "sagemaker"), ("uai rem", "remove"), ("uai remove job:tr", "train"), ("uai list ", "")):
            done = subprocess.run(["bash", "complete.sh", f"trainmake {typed}"], cwd=place.root, env={**place.env, "PATH": f"{bin_folder}:{place.env['PATH']}"},
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.stdout.strip(), expected, (typed, done.stderr))

    def test_an_unknown_shell_is_a_usage_error(self):
        self.tiny().ask("completion", "tcsh").exits(2)

    def test_a_word_that_is_not_begun_may_be_any_label(self):
        self.assert_told(self.tiny().ask("completion", "labels", "").exits(0).out, "job:train", "data:letters")

    def test_topics_of_help_are_completed(self):
        for shell in ("bash", "zsh", "fish"):
            self.assert_told(self.script(shell), " trainfile", " local")
