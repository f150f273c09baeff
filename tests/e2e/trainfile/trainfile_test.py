"""What a TRAINFILE may say, and what a wrong one is told."""

from story import Story


class Wrong(Story):
    def errors(self, trainfile, **files):
        place = self.place({"TRAINFILE.lua": trainfile, "code/a.sh": "echo a\n", **files})
        answer = place.ask("plan", "//...", "--json").exits(2)
        errors = answer.events("error")
        self.assertTrue(errors, str(answer))
        return errors

    def error(self, trainfile, **files):
        errors = self.errors(trainfile, **files)
        self.assertEqual(len(errors), 1, errors)
        return errors[0]["line"], f"{errors[0]['message']} {errors[0]['hint'] or ''}"

    def test_what_could_not_be_taken_is_told_and_looked_at_no_further(self):
        for attribute in ("resources = need", "resources = { gpus = tonumber }", "resources = 0/0", "image = image 'first'", "image = need", "data = 0/0"):
            for words in (["job:x"], ["plan", "job:x"], ["why", "job:x"]):
                place = self.tiny()
                place.append("TRAINFILE.lua", f'local function need() end\njob "x" {{ image = "image:tiny", main = "train.sh", {attribute} }}\n')
                answer = place.ask(*words).exits(2)
                self.assert_told(answer.err, "TRAINFILE.lua")
        for attribute in ("files = need", "files = 0/0", "base = need"):
            place = self.tiny()
            place.append("TRAINFILE.lua", f'local function need() end\nimage "x" {{ code = "code:tiny", {attribute} }}\n')
            place.ask("plan", "image:x").exits(2)

    def test_an_unknown_attribute_has_its_line_and_the_nearest(self):
        line, told = self.error('\ncode "c" {\n  srcs = glob "code/**",\n  mian = "a.sh",\n}\n')
        self.assertEqual(line, 4)
        self.assert_told(told, "mian", "main")

    def test_a_wrong_type_says_expected_and_got(self):
        _, told = self.error('code "c" { srcs = glob "code/**", main = 7 }\n')
        self.assert_told(told, "main", "string", "number")

    JOB = 'code "c" { srcs = glob "code/**", main = "a.sh" }\nimage "i" { code = "code:c", base = "scratch" }\njob "j" { image = "image:i",\n%s }\n'

    def test_a_number_out_of_its_range_is_told(self):
        for said, least, got in (("retries = -1", "0", "-1"), ("resources = { nodes = 0 }", "1", "0"), ("resources = { gpus = -8 }", "0", "-8")):
            line, told = self.error(self.JOB % said)
            self.assertEqual(line, 4)
            self.assert_told(told, f"a whole number from {least}, got {got}")
        for said in ('cpus = 0', 'cpus = -1', 'memory = "0"', 'memory = "0.0G"', 'disk = "0G"'):
            line, told = self.error(self.JOB % f"resources = {{ {said} }}")
            self.assertEqual(line, 4)
            name, value = said.split(" = ")
            self.assert_told(told, f"`resources.{name}` is {value.replace(chr(34), chr(96))}, and a job needs some")
        for said in ("timeout = 0", 'timeout = "0h"', "preflight = { timeout = 0 }"):
            self.assert_told(self.error(self.JOB % said)[1], "timeout")
        self.place({"TRAINFILE.lua": self.JOB % "retries = 0, resources = { nodes = 1, gpus = 0, cpus = 0.5, memory = '64G' }", "code/a.sh": ""}).plan("//...")

    def test_unknown_fields_of_resources_and_distribution_are_errors(self):
        errors = self.errors(self.JOB % 'resources = { gpus = 8, memory = "9T",\n memroy = "9T", foo = 1 },\ndistribution = { kind = "mpi", x = 1, processes = "two" }')
        told = [f"{error['line']} {error['message']} {error['hint'] or ''}" for error in errors]
        self.assertEqual(len(told), 4, told)
        self.assert_told(told, "5 `memroy` is not a field of `resources` Did you mean `memory`?", "5 `foo` is not a field", "6 `x` is not a field of `distribution`",
                         "6 `processes` is not a field of `distribution`")

    def test_a_wrong_type_in_resources_names_the_field(self):
        _, told = self.error(self.JOB % 'resources = { gpus = "8" }')
        self.assert_told(told, "`resources.gpus`", "a whole number", "a string")

    def test_a_missing_attribute_is_named(self):
        _, told = self.error('data "d" { }\n')
        self.assert_told(told, "files")

    def test_a_dangling_label_has_its_line_and_the_nearest(self):
        line, told = self.error('code "tiny" { srcs = glob "code/**" }\nimage "i" {\n  base = "scratch",\n  code = "code:tyni",\n}\n')
        self.assertEqual(line, 4)
        self.assert_told(told, "code:tyni", "code:tiny")

    def test_a_label_of_the_wrong_kind_is_told(self):
        _, told = self.error('data "d" { files = { "code/a.sh" } }\nimage "i" { code = "data:d", base = "scratch" }\n')
        self.assert_told(told, "data:d", "code")

    def test_all_errors_come_at_once(self):
        errors = self.errors('code "a" { srcs = glob "code/**", nope = 1 }\ncode "b" { srcs = 3 }\nimage "i" { code = "code:zzz", base = "scratch" }\ndata "d" { }\n'
                             'job "j" { image = "image:i", parms = {} }\n')
        self.assertEqual(sorted({error["line"] for error in errors}), [1, 2, 3, 4, 5])
        self.assertEqual({error["file"] for error in errors}, {"TRAINFILE.lua"})

    def test_what_values_mean_is_checked_with_the_rest(self):
        errors = self.errors('code "c" { srcs = glob { "../x", "[z-a]" } }\ndata "d" { files = { "no.txt",\n"nor.txt", glob "no/**", glob "nor/**" } }\ndata "e" { files = "code/a.sh", prefix = "../up" }\n'
                             'job "j" { image = "image:none", params = { x = 0/0 },\noutputs = { a = "../x", b = "" },\nmetrics = { m = "[", n = "(" },\n'
                             'args = { d = data_dir "../x" } }\nimage "i" { base = "scratch", tags = { "a b", ".c" } }\n')
        self.assertEqual(sorted(error["line"] for error in errors), [1, 1, 2, 3, 3, 3, 4, 5, 5, 6, 6, 7, 7, 8, 9, 9], errors)
        self.assert_told(" ".join(error["message"] for error in errors), "There is no file `nor.txt`", "Pattern `nor/**` matches no file", "There is no target `image:none`")

    def test_errors_of_files_come_with_those_of_declarations(self):
        trainfile = ('code "none" { srcs = glob "none/**" }\ndata "gone" { files = { "missing.json" } }\nimage "i" { code = "code:zzz", base = "scratch" }\n'
                     'code "c" { srcs = glob "code/**", main = "a.sh" }\nimage "fine" { code = "code:c", base = "scratch" }\n'
                     'job "j" { image = "image:fine", retries = -5 }\njob "k" { image = "image:fine", main = "zz.sh", data = { "data:gone" } }\n'
                     'job "l" { image = "image:i", data = { "data:gone" }, timeout = "soon" }\n')
        errors = self.errors(trainfile)
        self.assertEqual(sorted({error["line"] for error in errors}), [1, 2, 3, 6, 7, 8], errors)
        self.assertEqual(len(errors), 6, errors)
        place = self.place({"TRAINFILE.lua": trainfile, "code/a.sh": ""})
        for words in (["//...", "--json"], ["why", "//...", "--json"]):
            self.assertEqual(len(place.ask(*words).exits(2).events("error")), 6)
        self.assertEqual(len(place.ask("query", "//...", "--json").exits(2).events("error")), 3)  # which looks at no files

    def test_what_needs_something_wrong_is_not_told_beside_it(self):
        errors = self.errors('code "c" { srcs = 3 }\nimage "i" { code = "code:c", base = "scratch" }\njob "j" { image = "image:i", main = "zz.sh" }\n')
        self.assertEqual([error["line"] for error in errors], [1])

    def test_the_same_name_twice_gives_both_lines(self):
        line, told = self.error('code "a" { srcs = glob "code/**" }\n\ncode "a" { srcs = glob "code/**" }\n')
        self.assertEqual(line, 3)
        self.assert_told(told, "TRAINFILE.lua:1")

    def test_a_cycle_is_shown_in_order(self):
        (error, *_) = self.errors('code "c" { srcs = glob "code/**", main = "a.sh" }\nimage "i" { code = "code:c", base = "scratch" }\n'
                                  'job "a" { image = "image:i", data = { x = "job:b" } }\njob "b" { image = "image:i", data = { x = "job:a" } }\n')
        self.assert_told(error["message"], "job:a", "job:b")

    def test_a_syntax_error_has_its_line(self):
        self.assertEqual(self.error('code "a" { srcs = glob "code/**" }\ncode "b" { srcs = = }\n')[0], 2)

    def test_an_error_in_a_function_names_its_caller_too(self):
        line, told = self.error('local function make(name)\n  code(name) { srcs = 5 }\nend\nmake "a"\n')
        self.assertEqual(line, 2)
        self.assert_told(told, "TRAINFILE.lua:4")

    def test_a_declaration_without_its_table_is_told(self):
        self.errors('code "a"\n')

    def test_a_misspelt_global_suggests(self):
        _, told = self.error('cod "a" { srcs = glob "code/**" }\n')
        self.assert_told(told, "cod", "code")

    def test_the_trap_of_a_line_that_starts_with_a_parenthesis_is_explained(self):
        _, told = self.error('local a = 1\nlocal b = a\n(function() end)()\n')
        self.assert_told(told, "(", ";")

    def test_errors_in_the_trainspace_are_errors_too(self):
        (error, *_) = self.errors('code "c" { srcs = glob "code/**" }\n', **{"TRAINSPACE.lua": '\nstore "s" { ulr = "dir:x" }\n'})
        self.assertEqual((error["file"], error["line"]), ("TRAINSPACE.lua", 2))

    def test_an_unknown_default_store_is_told(self):
        self.assert_told(self.errors('code "c" { srcs = glob "code/**" }\n', **{"TRAINSPACE.lua": 'store "s" { url = "dir:x" }\ndefault_store "t"\n'})[0]["message"], "t")

    def test_in_words_the_place_comes_as_file_and_line(self):
        place = self.place({"TRAINFILE.lua": '\ncode "c" { srcs = 3 }\n'})
        self.assert_told(place.ask("code:c").exits(2).err, "TRAINFILE.lua:2")

    def test_a_trainfile_that_is_no_text_is_refused(self):
        for content in (b"\x1bLua\x54\x00", b"\xff\xfe\x00", b'project { name = "\x00" }'):
            self.place({"TRAINFILE.lua": content}).ask("plan", "//...").exits(2)


class Sandbox(Story):
    def refused(self, *bodies):
        for body in bodies:
            with self.subTest(body=body):
                place = self.place({"TRAINFILE.lua": f"local x = 1\n{body}\n"})
                answer = place.ask("plan", "//...", "--json").exits(2)
                self.assertEqual(answer.events("error")[0]["line"], 2, str(answer))
                place.close()

    def test_there_is_no_way_out(self):
        self.refused("os.execute('true')", "io.open('/etc/passwd')", "debug.getinfo(1)", "require 'os'", "dofile '/etc/passwd'", "package.loadlib('x', 'y')",
                     "load(string.dump(function() end))()", "loadfile 'x'", "collectgarbage 'stop'")

    def test_there_is_no_clock_and_no_chance(self):
        self.refused("local t = os.time()", "local t = os.clock()", "local r = math.random()", "math.randomseed(1)")

    def test_endless_work_and_endless_memory_end(self):
        self.refused("while true do end", "local t = {} for i = 1, 1e12 do t[i] = { i } end", "string.rep('x', 1 << 40)", "local function f() return f() + 1 end f()",
                     "local s = 'x' while true do s = s .. s end", "pcall(function() while true do end end) while true do end")

    def test_files_outside_the_workspace_cannot_be_loaded(self):
        self.refused("load_file '/etc/passwd'", "load_file '../../../../../../etc/passwd'")

    def test_a_slow_pattern_ends(self):
        self.refused("string.find(string.rep('a', 40000), string.rep('a-', 2000) .. 'b')")


class Language(Story):
    def params(self, value, before="", **options):
        place = self.place({"TRAINFILE.lua": f'{before}\ncode "c" {{ srcs = glob "code/**", main = "a.sh" }}\nimage "i" {{ code = "code:c", base = "scratch" }}\n'
                                             f'job "j" {{ image = "image:i", params = {{ v = {value} }} }}\n',
                            "code/a.sh": "", "code/b.sh": "", "more.lua": "return { n = 7 }\n"})
        return place.ask("query", "job:j", "--json", **options).exits(0).only["attrs"]["params"]["v"]

    def test_env_gives_the_value_or_the_default(self):
        self.assertEqual(self.params('env("WHO", "nobody")'), "nobody")
        self.assertEqual(self.params('env("WHO", "nobody")', env={"WHO": "me"}), "me")

    def test_load_file_gives_what_a_file_returns(self):
        self.assertEqual(self.params('load_file("more.lua").n'), 7)

    def test_list_gives_sorted_paths(self):
        self.assertEqual(self.params('list(glob "code/**")[2]'), "code/b.sh")

    def test_select_takes_the_platforms_or_the_default(self):
        self.assertEqual(self.params('select { ["local"] = "here", default = "there" }'), "here")
        self.assertEqual(self.params('select { slurm = "here", default = "there" }'), "there")

    def test_pairs_come_in_a_fixed_order(self):
        before = 'local names = "" for name in pairs { z = 1, b = 1, a = 1, m = 1 } do names = names .. name end'
        self.assertEqual(self.params("names", before), self.params("names", before))

    def test_an_environment_variable_that_was_read_is_an_input(self):
        place = self.tiny()
        place.replace("TRAINFILE.lua", "rate = 0.5", 'rate = env("RATE", "0.5")')
        place.make("job:train")
        self.assert_nothing_ran(place.make("job:train", env={"OTHER": "1"}))
        self.assertEqual(place.make("job:train", env={"RATE": "0.7"}).ran, ["//job:train"])

    def test_a_loop_makes_targets(self):
        place = self.tiny()
        place.append("TRAINFILE.lua", 'for _, rate in ipairs { 0.1, 1 } do job("sweep-" .. rate) { image = "image:tiny", params = { rate = rate } } end\n')
        self.assertEqual(place.query("//job:sweep-*"), ["//job:sweep-0.1", "//job:sweep-1"])


class New(Story):
    def test_it_makes_a_project_that_runs_as_it_is(self):
        place = self.place()
        self.assert_told(place.ask("new", "first").exits(0), "first")
        answer = place.make("-C", "first", "//...")
        self.assertTrue([label for label in answer.ran if label.startswith("//job:")], str(answer))
        self.assertEqual(place.make("-C", "first", "//...").ran, [])

    def test_any_folder_that_a_label_can_name_will_do(self):
        place = self.place({"TRAINSPACE.lua": ""})
        place.ask("new", "My Proj").exits(0)
        self.assertTrue(place.make("//My Proj/...").ran)
        place.ask("query", 'deps("//My Proj/job:my-proj")').exits(0)
        self.assert_told(place.ask("new", "a*b").exits(2).err, "`a*b`")

    def test_within_a_project_that_is_no_workspace_it_says_so(self):
        place = self.place()
        place.ask("new", "outer").exits(0)
        self.assert_told(place.ask("-C", "outer", "new", "inner").exits(0).err, "TRAINSPACE.lua")
        place.write("outer/TRAINSPACE.lua", "")
        self.assertNotIn("TRAINSPACE.lua", place.ask("-C", "outer", "new", "other").exits(0).err)

    def test_it_leaves_what_editors_need(self):
        place = self.place()
        place.ask("new", "first").exits(0)
        files = place.files_below("first")
        self.assertIn(".luarc.json", files)
        self.assertTrue([name for name in files if name.endswith(".lua") and "@param" in place.read(f"first/{name}") or "@class" in place.read(f"first/{name}")], files)

    def test_it_never_overwrites(self):
        place = self.place()
        place.ask("new", "first").exits(0)
        before = place.read("first/TRAINFILE.lua")
        self.assertNotEqual(place.ask("new", "first").code, 0)
        self.assertEqual(place.read("first/TRAINFILE.lua"), before)

    def test_its_state_is_ignored_by_git(self):
        place = self.place()
        place.ask("new", "first").exits(0)
        place.make("-C", "first", "//...")
        place.git("init", "-q")
        place.git("add", "-A")
        self.assertNotIn(".trainmake/", place.git("ls-files"))
