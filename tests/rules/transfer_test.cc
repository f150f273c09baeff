#include "rules/data/transfer.h"

#include "cache/stores/http/http_store.h"
#include "rules/data/catch_up.h"
#include "rules/data/mirror.h"
#include "rules/data/verify.h"
#include "tests/rules/mirror_world.h"
#include "tests/rules/rule_world.h"
#include "tests/support/fake_bucket.h"
#include "tests/support/fake_webdav.h"

namespace trainmake {
namespace {

constexpr std::chrono::seconds kLonger{kLease_s + 10};

// A target in a bucket, and what others do to the bucket meanwhile.
struct BucketWorld : RuleWorld {
  FakeBucket bucket{"http://s3.test:9000", "ours", {"KEY", "SECRET", ""}, "us-east-1"};
  TargetId mirrored = add("data", {{"files", glob("data/**")}, {"store", value(std::string("hub"))}});
  std::mutex mutex;
  std::function<void(const HttpRequest&)> meanwhile;  // before an answer
  std::string manifest_key = ".trainmake/data0/.mirror.json";

  BucketWorld() {
    environment.variables = {{"AWS_ACCESS_KEY_ID", "KEY"}, {"AWS_SECRET_ACCESS_KEY", "SECRET"}};
    space.services.push_back({"store",
                              "hub",
                              {{},
                               {{"endpoint", value(std::string("http://s3.test:9000"))},
                                {"path_style", value(true)},
                                {"url", value(std::string("s3://ours"))}}},
                              {}});
    files.put("/proc/sys/kernel/random/boot_id", "boot\n");
    clock.longest = std::chrono::seconds(kLease_s / 4);
    clock.endless = kPulse;
    http.answer = [this](const HttpRequest& request) {
      const std::lock_guard lock(mutex);
      if (meanwhile) meanwhile(request);
      return bucket.answer(request);
    };
  }
  // Another machine took the place over and sent its own.
  void take_over() {
    Mirror theirs = *mirror_from_json(bucket.objects[manifest_key]);
    theirs.writer = "another";
    theirs.unsettled.clear();
    theirs.objects = {{"x.txt", 6, digest_of("theirs"), "", {}}};
    bucket.objects[manifest_key] = to_json(theirs);
    bucket.metadata.erase(manifest_key);
    bucket.objects["data0/x.txt"] = "theirs";
    bucket.metadata.erase("data0/x.txt");
  }
  // While the first request of that kind travels, which takes long. How many of them came.
  const int& take_over_during(std::function<bool(const HttpRequest&)> is_it) {
    meanwhile = [this, is_it = std::move(is_it)](const HttpRequest& request) {
      if (!is_it(request) || came++ > 0) return;
      clock.advance(kLonger);
      take_over();
    };
    return came;
  }
  int came = 0;
  // A run that is stopped while the first such request has been on its way for that long, unanswered.
  void stop_after(std::chrono::seconds time, std::function<bool(const HttpRequest&)> is_it) {
    bucket.fault = [this, time, is_it = std::move(is_it)](
                       const HttpRequest& request) -> std::optional<FakeBucket::Fault> {
      if (!is_it(request)) return std::nullopt;
      clock.advance(time);
      stop.request_stop();
      return FakeBucket::Fault{0, false};
    };
    EXPECT_FALSE(execute(mirrored));
    bucket.fault = nullptr;
    stop = {};
  }
  // How long a run takes.
  std::chrono::milliseconds run() {
    const std::int64_t begun_ns = clock.steady_ns();
    EXPECT_TRUE(execute(mirrored));
    return std::chrono::milliseconds((clock.steady_ns() - begun_ns) / 1'000'000);
  }
  std::string ledger_path() {
    for (const std::string& path : files.all_files()) {
      if (path.find("/mirrors/") != path.npos && !path.ends_with(".log")) return cat("/", path);
    }
    return "";
  }
  // As a bucket of a service that takes no conditions.
  void take_no_conditions() {
    space.services.back().attributes.fields.insert(space.services.back().attributes.fields.begin(),
                                                   {"conditional", value(false)});
  }
  std::string manifest() const {
    const auto found = bucket.objects.find(manifest_key);
    return found == bucket.objects.end() ? "" : found->second;
  }
  Mirror told() const { return mirror_from_json(manifest()).value_or(Mirror{}); }
  void expect_ours() {
    EXPECT_EQ(bucket.objects["data0/x.txt"], files.content("/w/data/x.txt"));
    EXPECT_EQ(bucket.objects["data0/y.txt"], files.content("/w/data/y.txt"));
    const Mirror mirror = told();
    ASSERT_NE(find_object(mirror, "x.txt"), nullptr);
    EXPECT_EQ(find_object(mirror, "x.txt")->content, digest_of(files.content("/w/data/x.txt")));
  }
};

bool puts(const HttpRequest& request, std::string_view key) {
  return request.method == "PUT" && request.url.ends_with(key);
}

// Whose what lies in the store is.
struct OwnersWorld : BucketWorld {
  void stop_when(std::function<bool(const HttpRequest&)> is_it) {
    meanwhile = [this, is_it = std::move(is_it)](const HttpRequest& request) {
      if (is_it(request)) stop.request_stop();
    };
  }
  void go_on() {
    meanwhile = nullptr;
    stop = {};
  }
  bool lies(const std::string& key) { return bucket.objects.contains("data0/" + key); }
  const Target& target() { return graph[mirrored]; }
};

TEST(Transfer, WhoWasOvertakenWhileAnObjectTravelledSendsAgain) {
  BucketWorld world;
  const int& taken =
      world.take_over_during([](const HttpRequest& request) { return puts(request, "x.txt"); });
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_GE(taken, 1);  // what arrived all the same is asked for, and not always sent again
  world.expect_ours();
}

TEST(Transfer, ASingleObjectThatTookLongIsNoExcuse) {
  BucketWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.put("/w/data/x.txt", "changed");
  const int& taken =
      world.take_over_during([](const HttpRequest& request) { return puts(request, "x.txt"); });
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(taken, 2);
  world.expect_ours();
}

TEST(Transfer, AfterALongSleepNothingIsBegunBeforeThatIsTold) {
  BucketWorld world;
  bool slept = false;
  std::vector<std::string> after;
  world.meanwhile = [&](const HttpRequest& request) {
    if (slept) after.push_back(request.url.substr(request.url.rfind('/')));
    if (slept || !puts(request, ".mirror.json")) return;
    slept = true;
    world.clock.advance(kLonger);  // before its answer is heard
  };
  ASSERT_TRUE(world.execute(world.mirrored));
  ASSERT_GE(after.size(), 2U);
  EXPECT_EQ(after[0], cat("/", digest_of(world.told().writer).hex())) << "the lease";
  EXPECT_EQ(after[1], "/.mirror.json") << "looked at, since somebody may have come and gone";
  world.expect_ours();
}

TEST(Transfer, ARemovalThatTookLongIsToldOf) {
  BucketWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.take_away("/w/data/y.txt");
  const int& taken =
      world.take_over_during([](const HttpRequest& request) { return request.method == "DELETE"; });
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(taken, 1);
  EXPECT_EQ(world.bucket.objects["data0/x.txt"], world.files.content("/w/data/x.txt"));
  EXPECT_EQ(world.told().objects.size() + world.told().unsettled.size(), 1U);
}

TEST(Transfer, WhoCannotTellAnyMoreStops) {
  BucketWorld world;
  int objects = 0;
  world.bucket.fault = [&](const HttpRequest& request) -> std::optional<FakeBucket::Fault> {
    const bool tells = request.url.find(".trainmake/") != request.url.npos;
    if (tells && objects > 0) return FakeBucket::Fault{503, false, "SlowDown"};
    return std::nullopt;
  };
  world.meanwhile = [&](const HttpRequest& request) {
    if (puts(request, ".txt") && objects++ == 0) world.clock.advance(kLonger);
  };
  const auto done = world.execute(world.mirrored);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().blame, Blame::kRemote);
}

// What others announced of one key by now, and what they are at.
struct AnnouncedWorld : BucketWorld {
  bool repeats = false, has_left = false;
  std::string lease_key = cat(".trainmake/data0/.lease/", digest_of("another").hex());
  std::int64_t begun = 0;
  std::optional<std::int64_t> written_after_s;  // our first write

  void announce(UnsettledKey key) {
    Mirror theirs;
    theirs.target = "//data:data0";
    theirs.writer = "another";
    theirs.repeats = repeats;
    theirs.unsettled = {std::move(key)};
    bucket.objects[manifest_key] = to_json(theirs);
    if (has_left) bucket.objects[lease_key] = "{\"left\":true}";
    begun = clock.steady_ns();
    meanwhile = [this](const HttpRequest& request) {
      if (request.method == "PUT" && !written_after_s)
        written_after_s = (clock.steady_ns() - begun) / 1'000'000'000;
    };
  }
  void put_theirs(const std::string& key, const std::string& content) {
    bucket.objects["data0/" + key] = content;
    bucket.metadata["data0/" + key] = digest_of(content).hex();
  }
};

constexpr std::int64_t kRest_s = kLease_s - 30;  // every object of the bucket was put 30 s ago

TEST(CatchUp, WhatArrivedIsNotWaitedFor) {
  for (const std::string content : {"theirs", "xxx\n"}) {
    AnnouncedWorld world;
    world.put_theirs("x.txt", content);
    world.announce(sending("x.txt", content));
    ASSERT_TRUE(world.execute(world.mirrored));
    EXPECT_EQ(world.written_after_s, 0);
    world.expect_ours();
  }
}

TEST(CatchUp, WhatDidNotArriveIsWaitedFor) {
  AnnouncedWorld world;
  world.put_theirs("x.txt", "before");
  world.announce(sending("x.txt", "theirs"));
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_GE(world.written_after_s.value_or(0), kRest_s);
  world.expect_ours();
}

TEST(CatchUp, WhoLeftIsWaitedForShortly) {
  AnnouncedWorld world;
  world.has_left = true;
  world.put_theirs("x.txt", "before");
  world.announce(sending("x.txt", "theirs"));
  world.bucket.age_s = 0;
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_GE(world.written_after_s.value_or(0), kLastArrival_s - 1) << "what it sent last may still arrive";
  EXPECT_LT(world.written_after_s.value_or(0), kLastArrival_s + 5);
  world.expect_ours();
}

// What arrived may be sent once more.
TEST(CatchUp, WhoAsksForSomethingTwiceIsWaitedFor) {
  AnnouncedWorld world;
  world.repeats = true;
  world.put_theirs("x.txt", "theirs");
  world.announce(sending("x.txt", "theirs"));
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_GE(world.written_after_s.value_or(0), kRest_s);
  world.expect_ours();
}

TEST(CatchUp, ARemovalThatIsOnItsWayIsWaitedFor) {
  for (const bool is_gone : {false, true}) {
    AnnouncedWorld world;
    if (!is_gone) world.put_theirs("x.txt", "xxx\n");
    world.announce(removing("x.txt", "xxx\n"));
    ASSERT_TRUE(world.execute(world.mirrored));
    EXPECT_EQ(world.written_after_s.value_or(0) < kRest_s, is_gone);
    world.expect_ours();
  }
}

TEST(Transfer, WhatIsAskedForTwiceIsToldOfBeforeAndAfter) {
  BucketWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.put("/w/data/x.txt", "changed");
  int tries = 0;
  world.bucket.fault = [&](const HttpRequest& request) -> std::optional<FakeBucket::Fault> {
    if (!puts(request, "x.txt") || tries++ > 0) return std::nullopt;
    return FakeBucket::Fault{0, true};  // it is done, and nobody hears
  };
  std::vector<bool> told;  // at each time that it is put
  world.meanwhile = [&](const HttpRequest& request) {
    if (puts(request, "x.txt")) told.push_back(world.told().repeats);
  };
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(told, (std::vector<bool>{false, true}));
  EXPECT_FALSE(world.told().repeats);
  world.expect_ours();
}

// Several services know `If-None-Match` alone. What takes long is told in its lease first.
TEST(Transfer, AServiceThatTakesNoIfMatchIsSentToOnce) {
  for (const bool takes_long : {false, true}) {
    BucketWorld world;
    Fields& said = world.space.services.back().attributes.fields;
    said.insert(said.end() - 1, {"requests", BucketWorld::value(std::int64_t{1})});
    world.files.put("/w/data/z.txt", "zzz");
    world.bucket.fault = [&](const HttpRequest& request) -> std::optional<FakeBucket::Fault> {
      const bool matches = std::any_of(request.headers.begin(), request.headers.end(),
                                       [](const auto& header) { return header.first == "If-Match"; });
      if (request.method != "PUT" || !matches) return std::nullopt;
      return FakeBucket::Fault{501, false, "NotImplemented"};
    };
    int sent = 0;
    std::set<std::string> leases;
    world.meanwhile = [&](const HttpRequest& request) {
      sent += puts(request, ".txt") ? 1 : 0;
      if (takes_long && puts(request, ".txt")) world.clock.advance(std::chrono::seconds(kLease_s * 3 / 4));
      for (const auto& [key, bytes] : world.bucket.objects) {
        if (key.find("/.lease/") != key.npos) leases.insert(bytes);
      }
    };
    ASSERT_TRUE(world.execute(world.mirrored));
    EXPECT_EQ(sent, 3);
    EXPECT_EQ(leases.size() > 1, takes_long);
    EXPECT_TRUE(world.told().unsettled.empty());
    world.expect_ours();
  }
}

// What goes on for long is told in an object of its own, each time anew, which is gone in the end.
TEST(Transfer, ThatItGoesOnIsToldInASmallObject) {
  BucketWorld world;
  std::set<std::string> leases, manifests;
  world.meanwhile = [&](const HttpRequest& request) {
    for (const auto& [key, bytes] : world.bucket.objects) {
      if (key.starts_with(".trainmake/data0/.lease/")) leases.insert(cat(key, bytes));
    }
    if (!leases.empty()) manifests.insert(world.manifest());
    if (puts(request, ".txt") && leases.size() < 4)
      world.clock.advance(std::chrono::seconds(kLease_s * 3 / 4));
  };
  int tries = 0;
  world.bucket.fault = [&](const HttpRequest& request) -> std::optional<FakeBucket::Fault> {
    if (!puts(request, ".txt") || tries++ > 4) return std::nullopt;
    return FakeBucket::Fault{503, false, "SlowDown"};
  };
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_GE(leases.size(), 3U);
  EXPECT_LE(manifests.size(), 5U) << "what was announced, that something is asked for twice, and the end";
  for (const auto& [key, bytes] : world.bucket.objects) EXPECT_EQ(key.find(".lease"), key.npos);
  world.expect_ours();
}

TEST(CatchUp, WhoTellsThatItGoesOnIsWaitedForAnew) {
  AnnouncedWorld world;
  world.put_theirs("x.txt", "before");
  world.announce(sending("x.txt", "theirs"));
  const auto watch = world.meanwhile;
  world.meanwhile = [&, watch](const HttpRequest& request) {
    watch(request);
    const bool is_late = world.clock.steady_ns() - world.begun > std::int64_t{20} * 1'000'000'000;
    if (!is_late || world.told().told > 0 || world.told().writer != "another") return;
    Mirror theirs = world.told();
    theirs.told = 1;
    world.bucket.objects[world.manifest_key] = to_json(theirs);
  };
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_GE(world.written_after_s.value_or(0), 20 + kRest_s);
  world.expect_ours();
}

TEST(CatchUp, WhoHoldsItsLeaseIsWaitedForHoweverOldItsManifestObjectIs) {
  AnnouncedWorld world;
  world.put_theirs("x.txt", "before");
  world.announce(sending("x.txt", "theirs"));
  int told = 0;
  const auto watch = world.meanwhile;
  world.meanwhile = [&, watch](const HttpRequest& request) {
    watch(request);
    const std::int64_t since_s = (world.clock.steady_ns() - world.begun) / 1'000'000'000;
    if (since_s < 20 * (told + 1) || told == 5) return;
    world.bucket.objects[world.lease_key] = cat("{\"told\":", ++told, "}");
  };
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(told, 5);
  EXPECT_GE(world.written_after_s.value_or(0), 100 + kRest_s);
  EXPECT_FALSE(world.bucket.objects.contains(world.lease_key)) << "it is of no use any more";
  world.expect_ours();
}

// Who was taken for gone, and is not, has to hear of it.
TEST(CatchUp, WhoTakesOverTakesTheLeaseFirst) {
  for (const bool is_told_meanwhile : {false, true}) {
    AnnouncedWorld world;
    world.put_theirs("x.txt", "before");
    world.announce(sending("x.txt", "theirs"));
    std::vector<std::string> order;
    const auto watch = world.meanwhile;
    world.meanwhile = [&, watch](const HttpRequest& request) {
      watch(request);
      if (request.method != "PUT") return;
      order.push_back(request.url.substr(request.url.rfind('/')));
      if (is_told_meanwhile && order.size() == 1) world.bucket.objects[world.lease_key] = "{\"told\":1}";
    };
    ASSERT_TRUE(world.execute(world.mirrored));
    const std::string taking = cat("/", digest_of("another").hex());
    ASSERT_GE(order.size(), 3U);
    EXPECT_EQ(order[0], taking);
    EXPECT_EQ(order[1], is_told_meanwhile ? taking : "/.mirror.json");
    EXPECT_GE((world.clock.steady_ns() - world.begun) / 1'000'000'000,
              is_told_meanwhile ? 2 * kRest_s : kRest_s);
    world.expect_ours();
  }
}

// The clocks of a store's machines are not one.
TEST(CatchUp, AnAgeIsBelievedWithinLimits) {
  for (const std::int64_t age_s : {-100, 100, 1000}) {
    AnnouncedWorld world;
    world.put_theirs("x.txt", "before");
    world.announce(sending("x.txt", "theirs"));
    world.bucket.age_s = age_s;
    ASSERT_TRUE(world.execute(world.mirrored));
    const std::int64_t waited_s = world.written_after_s.value_or(0);
    EXPECT_GE(waited_s, age_s < 0 ? kLease_s - 1 : age_s == 100 ? 24 : 0);
    EXPECT_LE(waited_s, age_s < 0 ? kLease_s + 5 : age_s == 100 ? 30 : 5);
    world.expect_ours();
  }
}

// It slept through all of that: the lease that it never told is nobody's.
TEST(Transfer, WhoWakesUpAfterOthersCameAndWentHearsOfIt) {
  BucketWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.put("/w/data/x.txt", "changed");
  bool slept = false;
  std::vector<std::string> order;
  world.meanwhile = [&](const HttpRequest& request) {
    if (slept && request.method == "PUT") order.push_back(request.url.substr(request.url.rfind('/')));
    if (slept || !puts(request, ".mirror.json")) return;
    slept = true;
    order.emplace_back();
    world.clock.advance(kLonger);
  };
  int manifests = 0;
  world.bucket.fault = [&](const HttpRequest& request) -> std::optional<FakeBucket::Fault> {
    const bool looks = request.method == "HEAD" && request.url.ends_with(".mirror.json");
    if (looks && manifests++ == 0) world.take_over();
    return std::nullopt;
  };
  ASSERT_TRUE(world.execute(world.mirrored));
  ASSERT_GE(order.size(), 3U);
  EXPECT_NE(order[1], "/x.txt");
  EXPECT_EQ(order[2], "/.mirror.json") << "announced anew, before anything is sent";
  world.expect_ours();
}

TEST(Transfer, WhatOthersPutOverOursIsNotRemoved) {
  for (const bool has_files : {false, true}) {
    BucketWorld world;
    if (has_files) {
      for (int i = 100; i < 120; ++i) world.files.put(cat("/w/data/k", i), cat("ours ", i));
    }
    ASSERT_TRUE(world.execute(world.mirrored));
    world.bucket.objects["data0/y.txt"] = "of somebody else";
    world.bucket.metadata.erase("data0/y.txt");
    world.files.take_away("/w/data/y.txt");
    for (int i = 100; i < 120; ++i) world.files.take_away(cat("/w/data/k", i));
    std::size_t lists = 0, heads = 0;
    world.meanwhile = [&](const HttpRequest& request) {
      lists += request.url.find("list-type") != request.url.npos ? 1U : 0U;
      heads += request.method == "HEAD" ? 1U : 0U;
    };
    ASSERT_TRUE(world.execute(world.mirrored));
    EXPECT_EQ(world.bucket.objects["data0/y.txt"], "of somebody else");
    EXPECT_FALSE(world.bucket.objects.contains("data0/k100"));
    EXPECT_EQ(find_object(world.told(), "y.txt"), nullptr);
    EXPECT_NE(world.said.find("somebody else put it there, as `y.txt`"), std::string::npos) << world.said;
    EXPECT_LE(heads, 1U) << "of many a list tells";
    EXPECT_LE(lists, 2U);
  }
}

// While it is sent, which may take hours.
TEST(Transfer, WhatOthersPutOverOursMeanwhileIsNotRemoved) {
  BucketWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.put("/w/data/x.txt", "changed");
  world.files.take_away("/w/data/y.txt");
  world.meanwhile = [&](const HttpRequest& request) {
    if (!puts(request, "x.txt")) return;
    world.bucket.objects["data0/y.txt"] = "of somebody else";
    world.bucket.metadata.erase("data0/y.txt");
  };
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.bucket.objects["data0/y.txt"], "of somebody else");
}

// Nobody came: the lid of a laptop was closed.
TEST(Transfer, ALongSleepIsNoFailure) {
  BucketWorld world;
  world.clock.longest = std::chrono::seconds(kLease_s);
  std::atomic<bool> slept = false;
  world.meanwhile = [&](const HttpRequest& request) {
    if (puts(request, "x.txt") && !slept.exchange(true)) world.clock.advance(kLonger);
  };
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_TRUE(slept);
  world.expect_ours();
}

// Of what `--force` doubts it is forgotten what lies there, and not whose it was.
TEST(Transfer, WhatWasDoubtedAndNotComeToIsStillOurs) {
  for (const bool is_local : {false, true}) {
    OwnersWorld world;
    const TargetId id = is_local ? world.add("data", {{"files", RuleWorld::glob("data/**")},
                                                      {"store", RuleWorld::value(std::string("one"))}})
                                 : world.mirrored;
    ASSERT_TRUE(world.execute(id));
    world.afresh = true;
    world.stop_when([](const HttpRequest& request) { return puts(request, ".mirror.json"); });
    if (is_local) world.stop.request_stop();
    ASSERT_FALSE(world.execute(id));
    world.afresh = false;
    world.go_on();
    world.files.take_away("/w/data/y.txt");
    ASSERT_TRUE(world.execute(id));
    EXPECT_FALSE(is_local ? world.files.look("/w/bucket-one/data1/y.txt")->exists() : world.lies("y.txt"));
  }
}

TEST(Transfer, WhoFailsSaysSo) {
  BucketWorld world;
  world.bucket.fault = [&](const HttpRequest& request) -> std::optional<FakeBucket::Fault> {
    if (!puts(request, "x.txt")) return std::nullopt;
    return FakeBucket::Fault{403, false, "AccessDenied"};
  };
  ASSERT_FALSE(world.execute(world.mirrored));
  const std::string lease = cat(".trainmake/data0/.lease/", digest_of(world.told().writer).hex());
  EXPECT_NE(world.bucket.objects[lease].find("\"left\":true"), std::string::npos);
}

TEST(Transfer, OneContentTravelsOnceAndIsCopied) {
  BucketWorld world;
  const std::string large(kWorthCopying, 'l');
  for (const char* name : {"one", "two", "three"}) world.files.put(cat("/w/data/", name), large);
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.tally.uploaded_bytes, large.size() + 8);
  for (const char* name : {"one", "two", "three"})
    EXPECT_EQ(world.bucket.objects[cat("data0/", name)], large);
}

// Each is one object's bytes, and nothing of what lies there already travels again.
TEST(Transfer, WhatIsOverwrittenIsCopiedBefore) {
  const auto large = [](char c) { return std::string(kWorthCopying, c); };
  BucketWorld world;
  for (const char name : {'a', 'b', 'c'}) world.files.put(cat("/w/data/", name), large(name));
  ASSERT_TRUE(world.execute(world.mirrored));
  // A chain, what has several new names, and a circle of two.
  for (const auto& [name, content] :
       std::map<char, char>{{'a', 'n'}, {'b', 'a'}, {'c', 'b'}, {'d', 'a'}, {'e', 'a'}})
    world.files.put(cat("/w/data/", name), large(content));
  const std::uint64_t before = world.tally.uploaded_bytes;
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.tally.uploaded_bytes - before, kWorthCopying) << "what is new";
  world.files.put("/w/data/a", large('a'));
  world.files.put("/w/data/b", large('n'));
  const std::uint64_t between = world.tally.uploaded_bytes;
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_LE(world.tally.uploaded_bytes - between, kWorthCopying);
  for (const auto& [name, content] :
       std::map<char, char>{{'a', 'a'}, {'b', 'n'}, {'c', 'b'}, {'d', 'a'}, {'e', 'a'}})
    EXPECT_EQ(world.bucket.objects[cat("data0/", name)], large(content)) << name;
}

TEST(Transfer, TheUploadOfAFileThatIsGoneIsGivenUp) {
  for (const bool is_small : {false, true}) {
    OwnersWorld world;
    world.files.put("/w/data/big", std::string(std::size_t{80} << 20U, 'b'));
    world.bucket.fault = [&](const HttpRequest& request) -> std::optional<FakeBucket::Fault> {
      if (request.url.find("partNumber=2") == request.url.npos) return std::nullopt;
      return FakeBucket::Fault{403, false, "AccessDenied"};
    };
    ASSERT_FALSE(world.execute(world.mirrored));
    ASSERT_EQ(world.bucket.uploads.size(), 1U);
    world.bucket.fault = nullptr;
    if (is_small)
      world.files.put("/w/data/big", "small");
    else
      world.files.take_away("/w/data/big");
    ASSERT_TRUE(world.execute(world.mirrored));
    EXPECT_TRUE(world.bucket.uploads.empty());
    EXPECT_EQ(world.lies("big"), is_small);
  }
}

TEST(Transfer, WhatAnotherCheckoutSentIsReplacedWithAWord) {
  BucketWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  ASSERT_TRUE(world.files.remove("/w/.trainmake/mirrors"));
  world.files.put("/w/data/x.txt", "changed");
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_NE(world.said.find("Replaces 1 object in `hub/data0`, as `x.txt`"), std::string::npos) << world.said;
  world.said.clear();
  world.files.put("/w/data/x.txt", "again");
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.said.find("Replaces"), std::string::npos);
}

// The machine slept while the request waited for its turn: others have taken over.
TEST(Transfer, WhatWaitedForItsTurnIsNotSentUnderALeaseThatIsOver) {
  BucketWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.put("/w/data/x.txt", "changed");
  int tries = 0;
  world.bucket.fault = [&](const HttpRequest& request) -> std::optional<FakeBucket::Fault> {
    if (!puts(request, "x.txt") || tries++ > 0) return std::nullopt;
    world.clock.advance(kLonger);
    world.take_over();
    return FakeBucket::Fault{503, false, "SlowDown"};
  };
  std::vector<std::string> order;
  world.meanwhile = [&](const HttpRequest& request) {
    if (request.method == "PUT") order.push_back(request.url.substr(request.url.rfind('/')));
  };
  ASSERT_TRUE(world.execute(world.mirrored));
  ASSERT_GE(order.size(), 3U);
  EXPECT_EQ(order[1], "/x.txt");
  EXPECT_EQ(order[2], "/.mirror.json") << "asked before it is sent again";
  world.expect_ours();
}

TEST(Transfer, WhatWasListedAndNeverSentIsNotRemoved) {
  OwnersWorld world;
  world.bucket.objects["data0/y.txt"] = "of somebody else";
  world.stop_when([](const HttpRequest& request) { return puts(request, ".mirror.json"); });
  ASSERT_FALSE(world.execute(world.mirrored));
  ASSERT_EQ(world.told().unsettled.size(), 2U);
  world.go_on();
  world.files.take_away("/w/data/y.txt");
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_TRUE(world.lies("y.txt"));
  EXPECT_EQ(find_unsettled(world.told(), "y.txt"), nullptr);
}

TEST(Transfer, WhatWasListedAndNeverPutIntoAFolderIsNotRemoved) {
  OwnersWorld world;
  const TargetId id = world.add(
      "data", {{"files", RuleWorld::glob("data/**")}, {"store", RuleWorld::value(std::string("one"))}});
  const std::string theirs = "/w/bucket-one/data1/y.txt";
  world.files.put(theirs, world.files.content("/w/data/y.txt"));
  world.stop.request_stop();
  ASSERT_FALSE(world.execute(id));
  ASSERT_TRUE(world.files.look("/w/bucket-one/.trainmake/data1/.mirror.json")->exists());
  world.go_on();
  world.files.take_away("/w/data/y.txt");
  ASSERT_TRUE(world.execute(id));
  EXPECT_TRUE(world.files.look(theirs)->exists());
}

TEST(Transfer, WhatWasBegunAndArrivedIsRemoved) {
  OwnersWorld world;
  world.bucket.fault = [&](const HttpRequest& request) -> std::optional<FakeBucket::Fault> {
    if (!puts(request, "y.txt")) return std::nullopt;
    world.stop.request_stop();
    return FakeBucket::Fault{0, true};  // nobody hears
  };
  ASSERT_FALSE(world.execute(world.mirrored));
  ASSERT_TRUE(world.lies("y.txt"));
  world.bucket.fault = nullptr;
  world.go_on();
  world.files.take_away("/w/data/y.txt");
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_FALSE(world.lies("y.txt"));
}

TEST(Transfer, WhatOthersPutWhereOneWasDoubtedIsNotRemoved) {
  OwnersWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.take_away("/w/data/y.txt");
  world.bucket.objects["data0/y.txt"] = "of somebody else";
  world.bucket.metadata.erase("data0/y.txt");
  world.afresh = true;
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_TRUE(world.lies("y.txt"));
  EXPECT_EQ(find_object(world.told(), "y.txt"), nullptr);
}

// Somebody removed it, or put one of before in its place (versions of a bucket, a backup).
enum class Lost : std::uint8_t { kManifest, kLatestManifest };

struct LostWorld : OwnersWorld {
  bool is_local;
  TargetId id;
  explicit LostWorld(bool local)
      : is_local(local),
        id(local ? add("data", {{"files", glob("data/**")}, {"store", value(std::string("one"))}})
                 : mirrored) {
    files.put("/w/bucket-one/of-others", "");
  }
  std::string key_of(const std::string& key) const { return cat("data", is_local ? 1 : 0, "/", key); }
  std::string stored(const std::string& key) {
    return is_local ? files.content(cat("/w/bucket-one/", key)) : bucket.objects[key];
  }
  void store(const std::string& key, const std::string& bytes) {
    bucket.metadata.erase(key);
    if (is_local)
      files.put(cat("/w/bucket-one/", key), bytes);
    else
      bucket.objects[key] = bytes;
  }
  bool is_there(const std::string& key) {
    return is_local ? files.look(cat("/w/bucket-one/", key_of(key)))->exists() : lies(key);
  }
  void lose(Lost lost) {
    const std::string manifest = cat(".trainmake/", key_of(".mirror.json"));
    if (lost == Lost::kLatestManifest) {
      ASSERT_NE(stored(manifest), before);
      store(manifest, before);
    } else if (is_local) {
      files.take_away(cat("/w/bucket-one/", manifest));
    } else {
      bucket.objects.erase(manifest);
    }
  }
  // Sends, and then one more.
  void send_twice(Lost lost) {
    ASSERT_TRUE(execute(id));
    before = stored(cat(".trainmake/", key_of(".mirror.json")));
    files.put("/w/data/z.txt", "zzz\n");
    ASSERT_TRUE(execute(id));
    lose(lost);
  }
  std::string before;
};

TEST(Transfer, WhatWasSentIsKnownForOursWhereItsManifestObjectIsLost) {
  for (const bool is_local : {false, true}) {
    for (const Lost lost : {Lost::kManifest, Lost::kLatestManifest}) {
      LostWorld world(is_local);
      world.send_twice(lost);
      world.files.take_away("/w/data/z.txt");
      const Result<Description> planned = world.describe(world.id);
      ASSERT_TRUE(planned);
      EXPECT_EQ(planned->work.removals, 1U);
      ASSERT_TRUE(world.execute(world.id));
      EXPECT_FALSE(world.is_there("z.txt"));
      EXPECT_TRUE(world.is_there("y.txt"));
      world.files.take_away("/w/data/y.txt");
      ASSERT_TRUE(world.execute(world.id));
      EXPECT_FALSE(world.is_there("y.txt")) << "and what was there is ours still";
    }
  }
}

TEST(Transfer, WhatOthersPutSinceIsLeftWhereTheManifestObjectIsLost) {
  for (const bool is_local : {false, true}) {
    for (const Lost lost : {Lost::kManifest, Lost::kLatestManifest}) {
      LostWorld world(is_local);
      world.send_twice(lost);
      world.files.take_away("/w/data/z.txt");
      world.store(world.key_of("z.txt"), "of somebody else");
      world.store(world.key_of("more.txt"), "of somebody else");
      ASSERT_TRUE(world.execute(world.id));
      EXPECT_EQ(world.stored(world.key_of("z.txt")), "of somebody else");
      EXPECT_TRUE(world.is_there("more.txt"));
    }
  }
}

// It says what lay there once.
TEST(Transfer, WhatAnEarlierManifestObjectSaysIsNotBelieved) {
  LostWorld world(false);
  ASSERT_TRUE(world.execute(world.id));
  world.before = world.stored(world.manifest_key);
  world.files.put("/w/data/x.txt", "another");
  ASSERT_TRUE(world.execute(world.id));
  world.lose(Lost::kLatestManifest);
  world.files.put("/w/data/x.txt", "xxx\n");
  ASSERT_TRUE(world.execute(world.id));
  EXPECT_EQ(world.stored("data0/x.txt"), "xxx\n");
}

// What another checkout wrote is no earlier one, and what was removed there is not ours to know better.
TEST(Transfer, WhatAnotherCheckoutWroteIsBelieved) {
  LostWorld world(false);
  world.send_twice(Lost::kLatestManifest);
  Mirror theirs = world.told();
  theirs.writer = "another";
  world.store(world.manifest_key, to_json(theirs));
  world.files.take_away("/w/data/z.txt");
  ASSERT_TRUE(world.execute(world.id));
  EXPECT_TRUE(world.lies("z.txt"));
}

TEST(Transfer, AFileMakesWayForAFolderWhereTheManifestObjectIsLost) {
  LostWorld world(false);
  world.bucket.has_folders = true;
  world.send_twice(Lost::kManifest);
  world.files.take_away("/w/data/z.txt");
  world.files.put("/w/data/z.txt/inside", "1");
  ASSERT_TRUE(world.execute(world.id));
  EXPECT_TRUE(world.lies("z.txt/inside"));
  EXPECT_FALSE(world.lies("z.txt"));
}

TEST(Transfer, WithoutPruneWhatIsInTheWayInABucketOfFilesIsNamed) {
  for (const bool is_known : {true, false}) {
    OwnersWorld world;
    world.bucket.has_folders = true;
    const TargetId id = world.add("data", {{"files", RuleWorld::glob("data/**")},
                                           {"prune", RuleWorld::value(false)},
                                           {"store", RuleWorld::value(std::string("hub"))}});
    ASSERT_TRUE(world.execute(id));
    if (!is_known) world.bucket.objects.erase(".trainmake/data1/.mirror.json");
    world.files.take_away("/w/data/x.txt");
    world.files.put("/w/data/x.txt/inside", "1");
    const auto done = world.execute(id);
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().message.find("`x.txt` in `hub/data1` is in the way"), std::string::npos)
        << done.error().message;
    EXPECT_NE(done.error().hint.find("`prune = false`"), std::string::npos);
  }
}

// A target in a folder of nginx, whose tags are a time and a size.
struct NginxWorld : RuleWorld {
  FakeWebdav server{"https://dav.test"};
  TargetId mirrored = add("data", {{"files", glob("data/**")}, {"store", value(std::string("web"))}});
  std::mutex mutex;
  std::function<void(const HttpRequest&)> after;  // an answer

  NginxWorld() {
    server.heeds_conditions = false;
    rooms.push_back({"https", make_http_store});
    space.services.push_back({"store", "web", {{}, {{"url", value(std::string("https://dav.test"))}}}, {}});
    clock.longest = std::chrono::seconds(kLease_s / 4);
    clock.endless = kPulse;
    boot("one");
    http.answer = [this](const HttpRequest& request) {
      const std::lock_guard lock(mutex);
      Result<HttpResponse> response = server.answer(request);
      if (after) after(request);
      return response;
    };
  }
  void boot(const std::string& id) { files.put("/proc/sys/kernel/random/boot_id", id + "\n"); }
  std::string manifest() const { return server.bytes("/~.trainmake/data0/~.mirror.json"); }
  bool lies(const std::string& key) const { return server.paths().contains("/data0/" + key); }
};

// A look tells nothing of what is large: it is read.
TEST(Transfer, WhatOthersPutThatIsAsLongIsNotRemoved) {
  for (const bool is_ours : {false, true}) {
    NginxWorld world;
    const std::string ours(3 << 20U, 'o'), theirs(3 << 20U, 't');
    world.files.put("/w/data/z.bin", ours);
    world.server.put("/data0/z.bin", theirs);
    world.after = [&](const HttpRequest& request) {
      if (!puts(request, ".mirror.json")) return;
      world.stop.request_stop();
      if (is_ours) world.server.put("/data0/z.bin", ours);
    };
    ASSERT_FALSE(world.execute(world.mirrored));
    ASSERT_NE(find_unsettled(*mirror_from_json(world.manifest()), "z.bin"), nullptr);
    world.after = nullptr;
    world.stop = {};
    world.boot("two");  // what the log says may not be all
    world.files.take_away("/w/data/z.bin");
    ASSERT_TRUE(world.execute(world.mirrored));
    EXPECT_EQ(world.lies("z.bin"), !is_ours);
  }
}

TEST(Transfer, AFolderThatHasToStayIsToldOfBeforeAnythingGoes) {
  for (const bool has_others : {false, true}) {
    NginxWorld world;
    world.server.shows_hidden = has_others;
    world.files.put("/w/data/a/x", "x");
    ASSERT_TRUE(world.execute(world.mirrored));
    if (has_others) world.server.put("/data0/a/theirs", "of somebody else");
    const std::string before = world.manifest();
    world.files.take_away("/w/data/a");
    world.files.put("/w/data/a", "a file");
    const auto done = world.execute(world.mirrored);
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().hint.find("by hand"), std::string::npos) << done.error().message;
    EXPECT_TRUE(world.lies("a/x"));
    EXPECT_EQ(world.manifest(), before) << "nothing was announced";
    EXPECT_TRUE(world.server.wrong.empty()) << world.server.wrong.front();
  }
}

struct VerifyWorld : OwnersWorld {
  DataPlaces places{{host, workspace, space, rooms, tally}};
  Result<Verified> verify_now(bool heal = false) {
    const std::optional<StorePlace> place = *places.place_of(target());
    const SharedLedger known = *places.ledger_of(*place);
    const Doing doing{{}, stop.get_token(), [](const Event&) {}, tally, {}};
    return verify(host, *place, target(), *known, {1, heal}, doing);
  }
  bool is_known() {
    DataPlaces again{{host, workspace, space, rooms, tally}};
    return (*again.ledger_of(**again.place_of(target())))->is_known();
  }
};

TEST(Verify, WhatOthersAreSendingIsNotWrongAndNotKept) {
  VerifyWorld world;
  Mirror theirs;
  theirs.target = "//data:data0";
  theirs.writer = "another";
  for (int i = 100; i < 112; ++i) theirs.unsettled.push_back(sending(cat("k", i), "theirs"));
  world.bucket.objects[world.manifest_key] = to_json(theirs);
  const Result<Verified> seen = world.verify_now();
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->sending, 12U);
  EXPECT_TRUE(seen->wrong.empty());
  EXPECT_FALSE(world.is_known()) << "or the next run would not wait for them";
  const std::int64_t begun = world.clock.steady_ns();
  const Result<Verified> healing = world.verify_now(true);
  ASSERT_TRUE(healing);
  EXPECT_GE((world.clock.steady_ns() - begun) / 1'000'000'000, kLease_s - 30);
  EXPECT_EQ(healing->sending, 0U);
  EXPECT_EQ(healing->wrong.size(), 12U) << "they are gone";
}

TEST(Verify, WhatItLearnedIsNotAskedForAgain) {
  VerifyWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  ASSERT_TRUE(world.files.remove("/w/.trainmake/mirrors"));
  const auto heads = [&] {
    std::size_t count = 0;
    world.meanwhile = [&count](const HttpRequest& request) { count += request.method == "HEAD" ? 1U : 0U; };
    EXPECT_TRUE(world.verify_now());
    world.meanwhile = nullptr;
    return count;
  };
  EXPECT_EQ(heads(), 2U);
  EXPECT_EQ(heads(), 0U);
}

TEST(Verify, AManifestObjectThatCannotBeReadIsRefusedAndHealed) {
  for (const std::string text : {"{\"format\":3,\"objects\":{}}", "<html>"}) {
    VerifyWorld world;
    ASSERT_TRUE(world.execute(world.mirrored));
    world.bucket.objects[world.manifest_key] = text;
    world.files.put("/w/data/x.txt", "changed");
    const auto refused = world.execute(world.mirrored);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message.find("newer trainmake") != std::string::npos, text != "<html>");
    EXPECT_EQ(world.bucket.objects[world.manifest_key], text);
    const Result<Verified> seen = world.verify_now();
    ASSERT_EQ(seen.has_value(), text == "<html>");
    if (!seen) continue;
    ASSERT_EQ(seen->wrong.size(), 1U) << "and what was known here is known still";
    const StorePlace place = **world.places.place_of(world.target());
    ASSERT_TRUE(plan_to_heal(*seen, **world.places.ledger_of(place)));
    ASSERT_TRUE(world.execute(world.mirrored));
    EXPECT_EQ(world.bucket.objects["data0/x.txt"], "changed");
    EXPECT_NE(find_object(world.told(), "y.txt"), nullptr);
  }
}

// A run that found it gone was cut: all of it is doubted, and what lies there is told by a look.
TEST(Verify, WithoutItsManifestObjectWhatWasOursIsLookedAt) {
  VerifyWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.bucket.objects.erase(world.manifest_key);
  world.bucket.objects.erase("data0/x.txt");
  {
    Ledger& ledger = **world.places.ledger_of(**world.places.place_of(world.target()));
    ASSERT_TRUE(ledger.save(ledger.recall({}, owner_text(world.target().label), ""), ""));
  }
  const Result<Verified> seen = world.verify_now();
  ASSERT_TRUE(seen);
  Names wrong;
  for (const WrongObject& each : seen->wrong) wrong.push_back(each.key);
  EXPECT_EQ(wrong, (Names{"x.txt", world.manifest_key}));
  EXPECT_EQ(seen->wrong[0].what, "is not there, or another");
}

// What it says of before is no news.
TEST(Verify, WhatAnEarlierManifestObjectLacksIsNotForgotten) {
  VerifyWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  const std::string before = world.manifest();
  world.files.put("/w/data/z.txt", "zzz\n");
  ASSERT_TRUE(world.execute(world.mirrored));
  world.bucket.objects[world.manifest_key] = before;
  const Result<Verified> seen = world.verify_now();
  ASSERT_TRUE(seen);
  EXPECT_NE(find_object(seen->mirror, "z.txt"), nullptr);
  EXPECT_EQ(seen->mirror.root, "") << "which is not what was sent";
  world.files.take_away("/w/data/z.txt");
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_FALSE(world.lies("z.txt"));
}

// What lies there by now may go yet: the next run waits for it, and a cure does.
TEST(Verify, WhatIsStillOnItsWayIsNotForgotten) {
  for (const bool heal : {false, true}) {
    VerifyWorld world;
    ASSERT_TRUE(world.execute(world.mirrored));
    world.files.take_away("/w/data/y.txt");
    world.stop_after(std::chrono::seconds(1), [](const HttpRequest& request) {
      return request.method == "DELETE" && request.url.ends_with("y.txt");
    });
    const std::int64_t begun = world.clock.steady_ns();
    ASSERT_TRUE(world.verify_now(heal));
    EXPECT_EQ((world.clock.steady_ns() - begun) / 1'000'000'000 >= kLastArrival_s - 1, heal);
    world.files.put("/w/data/y.txt", "yyy\n");
    const std::chrono::milliseconds took = world.run();
    EXPECT_TRUE(heal || took >= std::chrono::seconds(kLastArrival_s - 1)) << took.count();
    EXPECT_TRUE(world.lies("y.txt"));
  }
}

// Another clone sends the same at the same time.
TEST(CatchUp, AJobWaitsForWhoSendsWhatItReads) {
  for (const bool has_arrived : {true, false}) {
    AnnouncedWorld world;
    const auto done = world.execute(world.mirrored);
    ASSERT_TRUE(done);
    Mirror theirs = world.told();
    theirs.writer = "another";
    theirs.objects.pop_back();
    theirs.unsettled = {sending("y.txt", "yyy\n")};
    world.bucket.objects[world.manifest_key] = to_json(theirs);
    if (!has_arrived) world.bucket.objects.erase("data0/y.txt");
    const std::int64_t begun = world.clock.steady_ns();
    const Doing doing{{}, {}, [](const Event&) {}, world.tally, {}};
    const std::string root = done->artifacts.front().identity;
    EXPECT_EQ(world.data.check_stored(world.graph[world.mirrored], root, doing).has_value(), has_arrived);
    EXPECT_EQ((world.clock.steady_ns() - begun) / 1'000'000'000 >= kRest_s, !has_arrived);
  }
}

// 30 keys that others send: a wait asks for the manifest object alone.
TEST(CatchUp, WhoeverWaitsDoesNotAskForEachKey) {
  BucketWorld world;
  Mirror theirs;
  theirs.target = "//data:data0";
  theirs.writer = "another";
  for (int i = 100; i < 130; ++i)
    theirs.unsettled.push_back({cat("big ", i), Unsettled::kSending, kWorthCopying, digest_of(cat(i))});
  world.data.before_run(world.graph, [](const Event&) {});
  world.bucket.objects[world.manifest_key] = to_json(theirs);
  std::size_t heads = 0;
  world.meanwhile = [&](const HttpRequest& request) {
    heads += request.method == "HEAD" && request.url.find(".trainmake/") == std::string::npos ? 1U : 0U;
  };
  ASSERT_TRUE(world.execute(world.mirrored) || true);
  EXPECT_LE(heads, 2 * 30U) << "once, when it takes over, and no more";
}

// However long it has been on its way by then.
TEST(LastArrivals, AreCountedFromTheEndOfWhoSentThem) {
  for (const char* method : {"PUT", "DELETE"}) {
    BucketWorld world;
    ASSERT_TRUE(world.execute(world.mirrored));
    const bool removes = method == std::string("DELETE");
    if (removes)
      world.files.take_away("/w/data/x.txt");
    else
      world.files.put("/w/data/x.txt", "cut");
    world.stop_after(std::chrono::seconds(14), [&](const HttpRequest& request) {
      return request.method == method && request.url.ends_with("x.txt");
    });
    world.files.put("/w/data/x.txt", "new");
    EXPECT_GE(world.run(), std::chrono::seconds(kLastArrival_s - 1)) << method;
    EXPECT_NE(world.said.find("before that was stopped"), std::string::npos) << world.said;
    EXPECT_EQ(world.bucket.objects["data0/x.txt"], "new");
  }
}

TEST(LastArrivals, AreNotWaitedForWhereNothingWasOnItsWay) {
  BucketWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.put("/w/data/x.txt", "cut");
  world.stop_after(std::chrono::seconds(14),
                   [](const HttpRequest& request) { return puts(request, "x.txt"); });
  EXPECT_LT(world.run(), std::chrono::seconds(1)) << "the same as may arrive";
  world.files.put("/w/data/x.txt", "new");
  EXPECT_LT(world.run(), std::chrono::seconds(1)) << "after what went well";
  world.files.put("/w/data/y.txt", "cut");
  world.stop_after(std::chrono::seconds(1),
                   [](const HttpRequest& request) { return puts(request, "y.txt"); });
  world.files.put("/w/data/y.txt", "new");
  world.clock.advance(std::chrono::seconds(kLastArrival_s));
  EXPECT_LT(world.run(), std::chrono::seconds(1)) << "long ago";
}

TEST(LastArrivals, AreWaitedForWhereWhatIsKnownHereIsDamaged) {
  BucketWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.put("/w/data/x.txt", "cut");
  world.stop_after(std::chrono::seconds(1),
                   [](const HttpRequest& request) { return puts(request, "x.txt"); });
  std::string damaged = world.files.content(world.ledger_path());
  damaged[damaged.size() - 3] = static_cast<char>(damaged[damaged.size() - 3] ^ 1);
  world.files.put(world.ledger_path(), damaged);
  world.files.put("/w/data/x.txt", "new");
  EXPECT_GE(world.run(), std::chrono::seconds(kLastArrival_s - 1));
  EXPECT_EQ(world.bucket.objects["data0/x.txt"], "new");
}

// Its first attempt may be done after its second, of which we heard.
TEST(LastArrivals, OfWhatWasAskedForTwiceAreWaitedForAfterACut) {
  BucketWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  int tries = 0;
  const auto cut_once = [&](const HttpRequest& request) -> std::optional<FakeBucket::Fault> {
    if (request.method == "DELETE") world.stop.request_stop();
    const bool is_cut = request.method == "DELETE" || (puts(request, "x.txt") && tries++ == 0);
    return is_cut ? std::optional(FakeBucket::Fault{0, false}) : std::nullopt;
  };
  world.bucket.fault = cut_once;
  world.files.put("/w/data/x.txt", "changed");
  ASSERT_LT(world.run(), std::chrono::seconds(1));
  world.files.put("/w/data/x.txt", "other");
  EXPECT_LT(world.run(), std::chrono::seconds(1)) << "after what came to its end";
  tries = 0;
  world.files.put("/w/data/x.txt", "once more");
  world.files.take_away("/w/data/y.txt");
  ASSERT_FALSE(world.execute(world.mirrored));
  EXPECT_GE(tries, 2);
  world.bucket.fault = nullptr;
  world.stop = {};
  world.files.put("/w/data/x.txt", "new");
  EXPECT_GE(world.run(), std::chrono::seconds(kLastArrival_s - 1));
  EXPECT_EQ(world.bucket.objects["data0/x.txt"], "new");
}

// What arrives late is refused where it says what it is to replace.
TEST(LastArrivals, OfAnAnnouncementAreWaitedForWhereTheStoreTakesNoConditions) {
  for (const bool takes_conditions : {true, false}) {
    BucketWorld world;
    if (!takes_conditions) world.take_no_conditions();
    ASSERT_TRUE(world.execute(world.mirrored));
    world.files.put("/w/data/x.txt", "cut");
    world.stop_after(std::chrono::seconds(1),
                     [](const HttpRequest& request) { return puts(request, ".mirror.json"); });
    world.files.put("/w/data/x.txt", "new");
    const std::chrono::milliseconds took = world.run();
    if (takes_conditions)
      EXPECT_LT(took, std::chrono::seconds(1));
    else
      EXPECT_GE(took, std::chrono::seconds(kLastArrival_s - 1));
    EXPECT_EQ(world.bucket.objects["data0/x.txt"], "new");
  }
}

// Which a process finds out when it asks, and the next does not know yet.
TEST(LastArrivals, OfAnAnnouncementAreWaitedForWhereTheStoreProvedToTakeNoConditions) {
  BucketWorld world;
  const auto refuse_conditions = [](const HttpRequest& request) -> std::optional<FakeBucket::Fault> {
    const bool asks = request.method == "PUT" &&
                      std::any_of(request.headers.begin(), request.headers.end(),
                                  [](const auto& each) { return each.first.starts_with("If-"); });
    return asks ? std::optional(FakeBucket::Fault{501, false, "NotImplemented"}) : std::nullopt;
  };
  world.bucket.fault = refuse_conditions;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.expect_ours();
  world.files.put("/w/data/x.txt", "cut");
  world.stop_after(std::chrono::seconds(1),
                   [](const HttpRequest& request) { return puts(request, ".mirror.json"); });
  world.bucket.fault = refuse_conditions;
  world.files.put("/w/data/x.txt", "new");
  EXPECT_GE(world.run(), std::chrono::seconds(kLastArrival_s - 1));
  EXPECT_EQ(world.bucket.objects["data0/x.txt"], "new");
}

// It may be made once more, of what was put there meanwhile.
TEST(Transfer, WhatWasCopiedTwiceWithoutAConditionIsOverBeforeItsSourceChanges) {
  for (const bool takes_conditions : {true, false}) {
    const auto large = [](char c) { return std::string(kWorthCopying, c); };
    BucketWorld world;
    if (!takes_conditions) world.take_no_conditions();
    for (const char name : {'a', 'b', 'c'}) world.files.put(cat("/w/data/", name), large(name));
    ASSERT_TRUE(world.execute(world.mirrored));
    for (const char name : {'a', 'b', 'c'})
      world.files.put(cat("/w/data/", name), large(static_cast<char>(name + 1)));
    std::int64_t cut_ns = 0, overwritten_ns = 0;
    world.bucket.fault = [&](const HttpRequest& request) -> std::optional<FakeBucket::Fault> {
      if (puts(request, "data0/b")) overwritten_ns = world.clock.steady_ns();
      if (!puts(request, "data0/a") || cut_ns != 0) return std::nullopt;
      cut_ns = world.clock.steady_ns();
      return FakeBucket::Fault{0, false};
    };
    ASSERT_TRUE(world.execute(world.mirrored));
    const std::chrono::nanoseconds passed(overwritten_ns - cut_ns);
    ASSERT_NE(cut_ns, 0);
    if (takes_conditions)
      EXPECT_LT(passed, std::chrono::seconds(1));
    else
      EXPECT_GE(passed, std::chrono::seconds(kLastArrival_s));
  }
}

}  // namespace
}  // namespace trainmake
