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

    def test_several_processes_have_a_container_each(self):
        """Which find each other by the addresses of the nodes that are played here."""
        place = self.in_busybox('echo "$OF $RANK of $WORLD_SIZE at $MASTER_ADDR${MASTER_PORT:+ port} in $(id -u) $(ip -o link | wc -l)"; echo x >/own-$RANK; ls / >/output/see-$RANK; [ "$RANK" != 0 ] || echo out >/output/o.txt; exec 2>&-\n',
                                'distribution = "torchrun", resources = { nodes = 2 }')
        lines = sorted(line["line"] for line in place.make("--container", "job:j").events("log"))
        for rank, line in enumerate(lines):
            self.assert_told(line, f"[{rank}] image {rank} of 2 at 127.0.0.1 port in ")
            self.assertGreater(int(line.split()[-1]), 1, "it has no network")
        self.assertEqual(len(lines), 2)
        place.replace("code/main.sh", "exec 2>&-", '[ "$RANK" != 1 ] || { echo the cause; exit 7; }; sleep 60')
        self.assert_told(place.ask("--container", "job:j").exits(1), "process `1`: exit code 7", "[1] the cause")
        place.replace("TRAINFILE.lua", '"torchrun", resources = { nodes = 2 }', '{ kind = "ps_worker", ps = 1, workers = 1 }, resources = { nodes = 2 }')
        place.write("code/main.sh", 'case $* in *--job_name=ps*) exec sleep 60 ;; esac\necho out >/output/o.txt\n')
        place.make("--container", "job:j")
