"""plan, why, query, graph, affected: they look, and change nothing."""

from story import EVERYTHING, TRAIN, Story


class Plan(Story):
    def test_query_hides_a_secret_that_is_no_list(self):
        place = self.tiny()
        place.append("TRAINFILE.lua", 'job "x" { image = "image:tiny", main = "train.sh", secrets = "TOK", params = { t = env("TOK") } }\n')
        for words in (["query", "job:x", "--json"], ["query", "--declared"], ["query", "--declared", "--json"]):
            self.assertNotIn("s3cr3t-value", place.ask(*words, env={"TOK": "s3cr3t-value"}).exits(0).out)

    def test_query_hides_what_is_declared_a_secret(self):
        place = self.tiny()
        place.append("TRAINFILE.lua", 'job "x" { image = "image:tiny", main = "train.sh", secrets = { "TOK" }, params = { t = env("TOK") }, notes = "is " .. env("TOK") }\n')
        for words in (["query", "job:x", "--json"], ["query", "--declared", "job:x"], ["query", "--declared", "job:x", "--json"]):
            answer = place.ask(*words, env={"TOK": "s3cr3t-Xyz9"}).exits(0)
            self.assertNotIn("s3cr3t", str(answer), words)
            self.assertIn("is ***", str(answer), words)

    def test_plan_says_what_the_run_then_does(self):
        place = self.tiny()
        edits = (lambda: None, lambda: place.write("data/solver.json", "{}\n"), lambda: place.append("code/train.sh", "#\n"),
                 lambda: place.replace("TRAINFILE.lua", "0.5", "0.6"), lambda: None)
        for edit in edits:
            edit()
            plan = place.plan("job:train")
            answer = place.make("job:train")
            surely = {step["label"] for step in plan["steps"] if step["verdict"] == "run"}
            maybe = {step["label"] for step in plan["steps"] if step["verdict"] == "maybe"}
            self.assertLessEqual(surely, set(answer.ran))
            self.assertLessEqual(set(answer.ran), surely | maybe)
            totals = plan["totals"]
            self.assertEqual((totals["layers"], totals["objects"], totals["jobs"]), answer.cost)

    def test_plan_of_an_undone_edit_says_reuse(self):
        place = self.tiny()
        place.make("job:train")
        place.replace("TRAINFILE.lua", "0.5", "0.6")
        place.make("job:train")
        place.replace("TRAINFILE.lua", "0.6", "0.5")
        self.assertEqual(place.plan("job:train")["totals"]["reuse"], 1)

    def test_plan_changes_nothing(self):
        place = self.tiny()
        first = place.plan("job:eval")
        self.assertEqual(place.plan("job:eval"), first)
        self.assertEqual(place.objects(), [])
        self.assertEqual(place.make("job:eval").ran, EVERYTHING)

    def test_dry_run_is_plan(self):
        place = self.tiny()
        self.assertEqual(place.ask("-n", "job:train", "--json").exits(0).only["totals"], place.plan("job:train")["totals"])

    def test_plan_in_words_goes_to_stdout(self):
        self.assert_told(self.tiny().ask("plan", "job:train").exits(0).out, "job:train", "image:tiny")

    def test_plan_knows_layers_objects_and_jobs(self):
        totals = self.tiny().plan("job:eval")["totals"]
        self.assertEqual((totals["objects"], totals["layers"], totals["jobs"]), (3, 1, 2))


class Why(Story):
    def built(self):
        place = self.tiny()
        place.make("job:eval")
        return place

    def test_before_the_first_run_it_was_never_built(self):
        self.assertEqual(self.tiny().why("job:train")[0][0], "never_built")

    def test_it_names_the_file(self):
        place = self.built()
        place.append("code/train.sh", "#\n")
        place.write("data/new.txt", "n\n")
        place.remove("data/b.txt")
        self.assertEqual(place.why("code:tiny"), [("input_changed", "code/train.sh")])
        self.assertEqual(sorted(place.why("data:letters")), [("input_added", "data/new.txt"), ("input_removed", "data/b.txt")])

    def test_it_names_the_param(self):
        place = self.built()
        place.replace("TRAINFILE.lua", "rate = 0.5", "rate = 0.6")
        self.assertEqual(place.why("job:train"), [("input_changed", "params.rate")])
        self.assert_told(place.ask("why", "job:train").exits(0).out, "rate")

    def test_it_names_the_upstream(self):
        place = self.built()
        place.write("data/solver.json", "{}\n")
        self.assertEqual(place.why("job:train"), [("upstream_changed", "//data:solver")])

    def test_it_follows_upstreams_down_to_files(self):
        place = self.built()
        place.write("data/solver.json", "{}\n")
        place.append("code/train.sh", "#\n")
        told = place.ask("why", "job:train").exits(0).out
        self.assertEqual(told, """job:train: may run
  `data:solver` changed, or will (upstream)
    `data/solver.json` changed (data)
  `image:tiny` changed, or will (upstream)
    `code:tiny` changed, or will (upstream)
      `code/train.sh` changed (code)
""")
        answer = place.ask("why", "job:train", "--json").exits(0).only
        self.assertEqual([step["label"] for step in answer["upstream"]], ["//data:solver", "//image:tiny", "//code:tiny"])
        self.assertEqual([reason["name"] for reason in answer["upstream"][-1]["reasons"]], ["code/train.sh"])

    def test_an_upstream_that_was_made_meanwhile_is_followed_too(self):
        place = self.built()
        place.write("data/solver.json", "{}\n")
        place.append("code/train.sh", "#\n")
        place.make("data:solver", "image:tiny")
        self.assert_told(place.ask("why", "job:train").exits(0).out, "    `data/solver.json` changed (data)", "      `code/train.sh` changed (code)")

    def test_it_names_a_few_files_of_many(self):
        place = self.built()
        for i in range(20):
            place.write(f"data/more-{i}.txt", "x\n")
        told = place.ask("why", "job:train").exits(0).out
        self.assertEqual(told.count("is new"), 5, told)
        self.assert_told(told, "`trainmake why data:letters` lists them")
        self.assertEqual(place.ask("why", "data:letters").exits(0).out.count("is new"), 20)

    def test_labels_are_as_short_as_they_work(self):
        place = self.built()
        place.write("data/solver.json", "{}\n")
        self.assertNotIn("//", place.ask("plan", "job:train").exits(0).out)

    def test_of_what_is_up_to_date_it_says_so(self):
        place = self.built()
        self.assertEqual(place.ask("why", "job:train", "--json").exits(0).only["verdict"], "up_to_date")

    def test_it_explains_a_past_run(self):
        place = self.built()
        place.replace("TRAINFILE.lua", "rate = 0.5", "rate = 0.6")
        place.make("job:train")
        self.assert_told(place.ask("why", place.runs("//job:train")[0]["run"]).exits(0).out, "rate")


class Query(Story):
    def test_it_knows_deps_rdeps_kinds_and_set_operations(self):
        place = self.tiny()
        self.assertEqual(place.query("deps(job:train)"), TRAIN)
        self.assertEqual(place.query("rdeps(data:solver)"), ["//data:solver", "//job:eval", "//job:train"])
        self.assertEqual(place.query("kind(job, //...)"), ["//job:eval", "//job:train"])
        self.assertEqual(place.query("deps(job:train) - deps(image:tiny)"), ["//data:letters", "//data:solver", "//job:train"])
        self.assertEqual(place.query("deps(job:eval) & kind(data, //...)"), ["//data:letters", "//data:solver"])

    def test_a_line_says_all_of_a_target(self):
        (line,) = self.tiny().ask("query", "job:eval", "--json").exits(0).lines
        self.assertEqual((line["label"], line["kind"], line["file"]), ("//job:eval", "job", "TRAINFILE.lua"))
        self.assertEqual(line["line"], 15)
        self.assertEqual(sorted(line["deps"]), ["//data:letters", "//image:tiny", "//job:train"])
        self.assertIn({"channel": "model", "label": "//job:train"}, line["attrs"]["data"])

    def test_a_base_is_said_as_it_is_declared(self):
        place = self.tiny()
        place.append("TRAINFILE.lua", 'image "a" { code = "code:tiny", base = { cpu = "image:tiny", gpu = "example.com/gpu:1" } }\n'
                                      'image "b" { code = "code:tiny", base = "example.com/both:1" }\nimage "c" { code = "code:tiny", base = "image:tiny" }\n')
        bases = [place.ask("query", f"image:{name}", "--json").exits(0).only["attrs"]["base"] for name in "abc"]
        self.assertEqual(bases, [{"cpu": "//image:tiny", "gpu": "example.com/gpu:1"}, "example.com/both:1", "//image:tiny"])

    def test_a_wrong_expression_is_a_usage_error(self):
        place = self.tiny()
        for wrong in ("deps(job:train", "deps()", "job:train &", "frob(job:train)"):
            place.ask("query", wrong).exits(2)

    def test_declared_says_what_the_file_says(self):
        self.assert_told(self.tiny().ask("query", "--declared").exits(0).out, "job", "train")


class Overview(Story):
    def test_alone_it_lists_what_the_project_declares(self):
        self.assert_told(self.tiny().ask().exits(0).out, "job:train", "data:solver", "trainmake plan")

    def test_as_json_it_says_of_a_target_what_query_does(self):
        place = self.tiny()
        self.assertEqual(place.ask("--json").exits(0).lines, place.ask("query", "*:*", "--json").exits(0).lines)

    def test_where_no_project_is_it_lists_those_below(self):
        place = self.place({"TRAINSPACE.lua": "", "vision/TRAINFILE.lua": 'data "d" { files = { "TRAINFILE.lua" } }\n'})
        self.assert_told(place.ask().exits(0).out, "  vision\n", "trainmake query //...")
        place.remove("vision")
        self.assert_told(place.ask().exits(2).err, "trainmake new")

    def test_an_attribute_that_no_kind_has_is_an_error(self):
        self.assert_told(self.tiny().ask("query", "attr(parms.lr, 1, //...)").exits(2).err, "`parms`", "`params`")


class Graph(Story):
    def test_it_has_the_same_edges_as_json_and_as_dot(self):
        place = self.tiny()
        graph = place.ask("graph", "job:eval", "--json").exits(0).only
        self.assertEqual(len(graph["nodes"]), 6)
        self.assertEqual(place.ask("graph", "job:eval", "--output", "dot").exits(0).out.count("->"), len(graph["edges"]))

    def test_output_json_is_the_same_as_the_flag(self):
        place = self.tiny()
        self.assertEqual(place.ask("graph", "job:eval", "--output", "json").exits(0).only, place.ask("graph", "job:eval", "--json").exits(0).only)

    def test_text_is_the_default(self):
        self.assert_told(self.tiny().ask("graph", "job:eval").exits(0).out, "job:eval", "job:train", "code:tiny")


class Affected(Story):
    def since(self, place, revision="HEAD"):
        return sorted(line["label"] for line in place.ask("affected", "--since", revision, "--json").exits(0).lines)

    def test_it_names_what_an_edit_reaches(self):
        place = self.tiny()
        place.commit_all()
        self.assertEqual(self.since(place), [])
        place.write("data/solver.json", "{}\n")
        self.assertEqual(self.since(place), ["//data:solver", "//job:eval", "//job:train"])

    def test_committed_or_not(self):
        place = self.tiny()
        place.commit_all()
        place.append("code/eval.sh", "#\n")
        place.git("commit", "-qam", "two")
        self.assertEqual(self.since(place), [])
        self.assertEqual(self.since(place, "HEAD~1"), ["//code:tiny", "//image:tiny", "//job:eval", "//job:train"])

    def test_a_declaration_is_a_change_too(self):
        place = self.tiny()
        place.commit_all()
        place.replace("TRAINFILE.lua", "rate = 0.5", "rate = 0.6")
        self.assertEqual(self.since(place), ["//job:eval", "//job:train"])

    def test_an_untracked_and_a_removed_file_are_changes(self):
        place = self.tiny()
        place.commit_all()
        place.write("data/new.txt", "n\n")
        self.assertIn("//data:letters", self.since(place))
        place.remove("data/new.txt")
        place.remove("data/a.txt")
        self.assertIn("//data:letters", self.since(place))

    def test_an_unknown_revision_is_a_usage_error(self):
        place = self.tiny()
        place.commit_all()
        self.assert_told(place.ask("affected", "--since", "no-such").exits(2), "no-such")
