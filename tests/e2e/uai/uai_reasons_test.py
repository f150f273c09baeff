"""What is said of why something runs, where it was tried on this machine in between."""

from uai_test import OnMnist


class Reasons(OnMnist):
    def here_and_there(self, server):
        place = self.project(server)
        place.replace("TRAINFILE.lua", '"/data/data/lenet_solver.prototxt"', 'data_dir "lenet_solver.prototxt"')
        return place

    def reasons(self, place, label):
        steps = place.ask("plan", "job:mnist", "--json").exits(0).only["steps"]
        return [(reason["section"], reason["name"]) for step in steps if step["label"] == label for reason in step["reasons"] if reason["name"] != "keys"]

    def test_a_try_here_hides_no_change_since_the_last_job_there(self):
        server = self.cloud()
        place = self.here_and_there(server)
        place.make("job:mnist")
        place.write("data/more.txt", "more\n")
        place.ask("run", "--local", "job:mnist").exits(0)
        self.assertEqual(self.reasons(place, "//data:mnist"), [("data", "data/more.txt")])
        self.assertEqual(self.reasons(place, "//job:mnist"), [("upstream", "//data:mnist")])

    def test_before_the_first_job_there_no_attribute_is_new_that_nobody_wrote(self):
        server = self.cloud()
        place = self.here_and_there(server)
        place.ask("run", "--local", "job:mnist").exits(0)
        told = place.ask("why", "data:mnist").exits(0).out
        self.assert_told(told, "it goes to a store, and was read where it lies")
        for attribute in ("`prefix`", "`prune`", "`store`"):
            self.assertNotIn(attribute, told)
