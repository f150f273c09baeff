"""Other platforms' contracts in containers on this machine, where their own paths hold."""

from busybox_image import InBusybox


class ContainerContracts(InBusybox):
    def run_under(self, place, contract):
        place.ask("run", "--local", "--container", "--contract", contract, "job:j").exits(0)
        return place.ask("logs", "job:j").exits(0).out.splitlines()

    def test_uai_has_everything_below_data(self):
        place = self.in_busybox('pwd; echo $1; cat /data/data/again/a.txt "$0"x 2>/dev/null; echo $OF; echo out > /data/output/o.txt\n')
        self.assertEqual(self.run_under(place, "uai"), ["/data", "--work_dir=/data", "aaa", "image"])
        self.assertEqual(place.pull("job:j", "o.txt"), "out\n")

    def test_ti_finds_its_files_in_opt_ml(self):
        place = self.in_busybox('pwd; echo $TM_MODEL_DIR $TM_CHANNEL_AGAIN; cat /opt/ml/input/config/resourceconfig.json $TM_CHANNEL_AGAIN/a.txt; echo out > /opt/ml/model/o.txt\n')
        self.assertEqual(self.run_under(place, "ti"), ["/opt/ml/code", "/opt/ml/model /opt/ml/input/data/again", '{"current_host":"localhost","hosts":["localhost"]}aaa'])
        self.assertEqual(place.pull("job:j", "o.txt"), "out\n")

    def test_each_is_a_result_of_its_own(self):
        place = self.in_busybox('echo out > "$TRAINMAKE_OUTPUT_DIR/o.txt"\n')
        words = ["run", "--local", "--contract", "uai", "job:j", "--json"]
        for more, submitted in ((["--container"], 1), ([], 1), (["--container"], 0)):
            self.assertEqual(place.ask(*words, *more).exits(0).finished["submitted"], submitted)

    def test_several_processes_are_refused_there(self):
        place = self.in_busybox("", 'distribution = "torchrun"')
        self.assert_told(place.ask("--container", "job:j").exits(2), "A job in a container is one process yet", "TRAINFILE.lua:5")
