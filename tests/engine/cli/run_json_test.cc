#include "engine/cli/run_json.h"

#include <limits>

#include "tests/engine/cli/looking_back.h"

namespace trainmake {
namespace {

TEST(RunJson, SaysNullWhereThereIsNothing) {
  auto run = run_of({"abc000000000", job("x"), RunStatus::kQueued});
  run.key.clear();
  EXPECT_EQ(run_json(run),
            R"({"run":"abc000000000","label":"//job:x","status":"queued","platform":"local","key":null,)"
            R"("job":null,"started":null,"ended":null,"params":{},"metrics":{},"outputs":[],"reason":null,)"
            R"("tags":[],"notes":null,"memo":null,"contract":null})");
}

TEST(RunJson, SaysAllOfARunThatEnded) {
  auto run = run_of({"abc000000000", job("x")});
  run.job = "17";
  run.started_ns = 1'000'000'000;
  run.ended_ns = 3'500'000'000;
  run.params_json = R"({"lr":0.5,"name":"x"})";
  run.metrics = {{"accuracy", 0.75}, {"loss", std::numeric_limits<double>::quiet_NaN()}};
  run.outputs = {{"model", "model.txt", 12, std::string(64, 'a')}};
  run.reason = "`d.txt` changed while the job read it";
  run.provenance_json = R"({"tags":["a","b"],"notes":"a baseline","memo":"first","contract":"default/1"})";
  EXPECT_EQ(
      run_json(run),
      R"({"run":"abc000000000","label":"//job:x","status":"succeeded","platform":"local","key":"trainmake-abc000000000",)"
      R"("job":"17","started":"1970-01-01T00:00:01.000Z","ended":"1970-01-01T00:00:03.500Z",)"
      R"("params":{"lr":0.5,"name":"x"},"metrics":{"accuracy":0.75,"loss":null},)"
      R"("outputs":[{"name":"model","path":"model.txt","bytes":12,"sha256":")" +
          std::string(64, 'a') +
          R"("}],"reason":"`d.txt` changed while the job read it",)"
          R"("tags":["a","b"],"notes":"a baseline","memo":"first","contract":"default/1"})");
}

TEST(RunJson, OneThatGoesOnHasNoEnd) {
  auto run = run_of({"abc000000000", job("x"), RunStatus::kRunning});
  run.ended_ns = 5;
  EXPECT_NE(run_json(run).find(R"("ended":null)"), std::string::npos);
}

TEST(RunJson, ForeignBytesAndBrokenDocumentsStayJson) {
  auto run = run_of({"abc000000000", job("x")});
  run.params_json = "{broken";
  run.outputs = {{"o", "a\xff\x01", 1, ""}};
  run.reason = "\xff";
  const std::string json = run_json(run, RunDetail::kAll);
  EXPECT_TRUE(is_utf8(json));
  EXPECT_NE(json.find(R"("params":{})"), std::string::npos);
  EXPECT_NE(json.find(R"("provenance":{})"), std::string::npos);
}

}  // namespace
}  // namespace trainmake
