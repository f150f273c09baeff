// A workspace in a temporary folder with a platform of type uai over it, whose service is the fake one and
// whose bucket is a folder.
#pragma once

#include <gtest/gtest.h>

#include "cache/stores/dir/dir_store.h"
#include "rules/job/contracts.h"
#include "rules/job/platforms/uai/uai_platform.h"
#include "tests/rules/job/fake_uai.h"
#include "tests/rules/job/local_world.h"

namespace trainmake {

// Runs twenty times as fast as time does.
class QuickClock final : public Clock {
 public:
  std::int64_t now_ns() override { return real_clock().now_ns(); }
  std::int64_t steady_ns() override { return 20 * real_clock().steady_ns(); }
  bool wait(std::chrono::milliseconds time, std::stop_token stop) override {
    return real_clock().wait(time / 20, std::move(stop));
  }
};

inline Clock& quick_clock() {
  static QuickClock clock;
  return clock;
}

struct UaiWorld {
  using Json = FakeUai::Json;

  explicit UaiWorld(Clock& its_clock = quick_clock()) : clock(its_clock) {}

  ScratchFolder folder;
  Clock& clock;
  FakeUai uai{folder.path("jobs"), folder.path("bucket")};
  Environment environment{{{"UCLOUD_PUBLIC_KEY", FakeUai::kPublic},
                           {"UCLOUD_PRIVATE_KEY", FakeUai::kPrivate},
                           {"HOME", folder.path("home")}}};
  Host host{real_file_system(), real_processes(), uai, clock, environment};
  Workspace workspace{folder.path(), folder.path("cache"), ""};
  Space space = [] {
    Service bucket{"store", "mine", {}, {}};
    Value url, region;
    url.data = std::string("ufile://my-data");
    region.data = std::string("cn-bj");
    bucket.attributes.fields = {{"region", region}, {"url", url}};
    Space declared;
    declared.services = {bucket};
    return declared;
  }();
  Blobs blobs{real_file_system(), folder.path("cache")};
  Tally tally;
  UaiOptions options = [] {
    UaiOptions said;
    said.name = "uai";
    said.project = "org-1";
    said.uhub_host = "uhub.service.ucloud.cn";
    said.endpoint = "http://127.0.0.1:1/api";
    return said;
  }();
  UaiPlatform platform = again();

  // Another trainmake over the same memory.
  UaiPlatform again() {
    Service bucket{"store", "mine", {}, {}};
    Value url;
    url.data = "dir:" + folder.path("bucket");
    bucket.attributes.fields = {{"url", url}};
    UaiPlaces places;
    places.bucket =
        UaiPlace{*make_dir_store(host, workspace, bucket, tally), {"http://my-data.cn-bj.ufileos.com/", ""}};
    return {host, workspace, space, blobs, tally, options, std::move(places), *contract_named(space, "uai")};
  }

  static JobSpec spec(int number, const std::string& script) {
    JobSpec spec = script_spec(number, script);
    Value machine, hours;
    machine.data = std::string("1-P40");
    hours.data = std::int64_t{6};
    spec.resources.fields = {{"hours", hours}, {"node_type", machine}};
    spec.pulled_image = "uhub.ucloud.cn/demo/mnist:trainmake-0123456789abcdef";
    return spec;
  }
  std::string note_of(const std::string& run, const std::string& note) {
    return read_file(real_file_system(), folder.path(cat("cache/runs/", run, "/", note))).value_or("none");
  }
  // Till it has ended there, of which nobody here heard.
  void await_end_there(const std::string& id) {
    while (uai.state_of(id) == "Doing") real_clock().wait(std::chrono::milliseconds(2), {});
  }
  JobHandle submit(const JobSpec& spec) {
    auto job = platform.submit(spec, {});
    EXPECT_TRUE(job) << (job ? "" : job.error().message);
    return {spec.run, spec.key, job.value_or("")};
  }
  JobStatus await_end(const JobHandle& job) {
    const std::int64_t began = real_clock().steady_ns();
    JobStatus status;
    do {
      if (auto polled = platform.poll(job)) status = *polled;
      if (is_over(status.status) || !status.known) return status;
    } while (!real_clock().wait(std::chrono::milliseconds(5), {}) &&
             real_clock().steady_ns() - began < 30'000'000'000);
    ADD_FAILURE() << "never came; last " << name_of(status.status) << " " << status.reason;
    return status;
  }
};

}  // namespace trainmake
