"""TRAINSPACE.lua names another place while a job runs: it is asked for where it was started, or not at all."""

from story import eventually
from uai_test import OnMnist


class Moved(OnMnist):
    def running(self):
        server = self.cloud()
        place = self.project(server, args=", wait = true")
        place.ask("--no-wait", "job:mnist").exits(0)
        eventually(lambda: self.states(server) == ["Doing"], "it does not start")
        # As if it had been asked for long ago: what no list has is gone by then.
        for asked in place.path(".trainmake/runs").glob("*/asked*"):
            *words, moment = asked.read_text().split()
            asked.write_text("\n".join([*words, str(int(moment) - 100 * 10**9)]) + "\n")
        return server, place

    def finishes(self, server, place):
        server.open()
        place.ask("job:mnist").exits(0)
        self.assertEqual(place.pull("job:mnist", "model.txt"), "3\n")
        self.assertEqual(len(server.jobs), 1)

    def test_to_another_zone_of_which_nothing_is_concluded(self):
        server, place = self.running()
        place.replace("TRAINSPACE.lua", "cn-bj2-04", "cn-bj2-05")
        told = "was started in", "zone `cn-bj2-04`", "zone `cn-bj2-05`"
        self.assert_told(place.ask("job:mnist", "--no-wait").exits(0), "Cannot tell how it goes", *told)
        self.assert_told(place.ask("cancel", "job:mnist").exits(3), "Put that back", *told)
        self.assertEqual((self.states(server), place.runs()[0]["status"]), (["Doing"], "unknown"))
        place.replace("TRAINSPACE.lua", "cn-bj2-05", "cn-bj2-04")
        self.finishes(server, place)

    def test_to_another_bucket_in_which_its_result_is_not_looked_for(self):
        server, place = self.running()
        place.replace("TRAINSPACE.lua", 'bucket = "mnist-bucket"', 'bucket = "other-bucket"')
        place.append("TRAINSPACE.lua", f'store "other" {{ url = "ufile://other-bucket", region = "cn-bj", create = true, endpoint = "http://127.0.0.1:{server.port}" }}\n')
        server.open()
        eventually(lambda: self.states(server) == ["Done"], "it does not end")
        self.assert_told(place.ask("job:mnist").exits(1), "mnist-bucket", "reads no results there any more", "`bucket`")
        place.replace("TRAINSPACE.lua", 'bucket = "other-bucket"', 'bucket = "mnist-bucket"')
        self.finishes(server, place)
