#include "rules/data/transfer.h"

#include "rules/data/catch_up.h"
#include "rules/data/mirror.h"
#include "tests/rules/rule_world.h"
#include "tests/support/fake_bucket.h"

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
    clock.longest = std::chrono::seconds(kLease_s / 4);
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
    bucket.objects["data0/x.txt"] = "theirs";
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
  Mirror told() { return mirror_from_json(bucket.objects[manifest_key]).value_or(Mirror{}); }
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
  ASSERT_FALSE(after.empty());
  EXPECT_EQ(after.front(), "/.mirror.json");
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
    if (puts(request, ".mirror.json") && objects > 0) return FakeBucket::Fault{503, false, "SlowDown"};
    return std::nullopt;
  };
  world.meanwhile = [&](const HttpRequest& request) {
    if (puts(request, ".txt") && objects++ == 0) world.clock.advance(kLonger);
  };
  const auto done = world.execute(world.mirrored);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().blame, Blame::kRemote);
}

// 30 keys that others send: a wait asks for the manifest object alone.
TEST(CatchUp, WhoeverWaitsDoesNotAskForEachKey) {
  BucketWorld world;
  Mirror theirs{"//data:data0", "", "another", {}, {}};
  for (int i = 100; i < 130; ++i)
    theirs.unsettled.push_back({cat("big ", i), kWorthCopying, digest_of(cat(i)), {}});
  ASSERT_TRUE(world.data.settle(world.graph, [](const Event&) {}).empty());
  world.bucket.objects[world.manifest_key] = to_json(theirs);
  std::size_t heads = 0;
  world.meanwhile = [&](const HttpRequest& request) {
    heads += request.method == "HEAD" && !request.url.ends_with(".mirror.json") ? 1U : 0U;
  };
  ASSERT_TRUE(world.execute(world.mirrored) || true);
  EXPECT_LE(heads, 2 * 30U) << "once, when it takes over, and no more";
}

}  // namespace
}  // namespace trainmake
