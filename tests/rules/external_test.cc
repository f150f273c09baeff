#include "rules/data/external.h"

#include <atomic>
#include <cerrno>

#include "cache/stores/http/http_store.h"
#include "engine/base/text.h"
#include "tests/rules/rule_world.h"
#include "tests/support/fake_bucket.h"
#include "tests/support/fake_webdav.h"

namespace trainmake {
namespace {

struct ExternalWorld : RuleWorld {
  FakeBucket bucket{"http://s3.test:9000", "theirs", {"KEY", "SECRET", ""}, "us-east-1"};
  TargetId set = add("data", {{"url", value(std::string("s3://theirs/set"))}});

  ExternalWorld() {
    environment.variables = {{"AWS_ACCESS_KEY_ID", "KEY"}, {"AWS_SECRET_ACCESS_KEY", "SECRET"}};
    space.services.push_back({"store",
                              "hub",
                              {{},
                               {{"create", value(true)},
                                {"endpoint", value(std::string("http://s3.test:9000"))},
                                {"path_style", value(true)},
                                {"url", value(std::string("s3://theirs"))}}},
                              {}});
    http.answer = [this](const HttpRequest& request) { return bucket.answer(request); };
    bucket.objects = {{"set/a", "one"}, {"set/b/c", "two"}, {"other", "x"}};
  }
  // What a run would be told of those that could not be asked.
  std::vector<Error> settle() {
    data.before_run(graph, [](const Event&) {});
    std::vector<Error> errors;
    for (TargetId id = 0; id < graph.targets.size(); ++id) {
      const auto description = describe(id);
      if (!description || description->certain) continue;
      const auto done = execute(id, *description);
      if (!done) errors.push_back(done.error());
    }
    return errors;
  }
  std::uint64_t asked() const {
    std::uint64_t sum = 0;
    for (const auto& count : tally.requests) sum += count;
    return sum;
  }
};

TEST(External, WhatJobsNeedComesHereOnce) {
  ExternalWorld world;
  EXPECT_TRUE(world.settle().empty());
  ASSERT_TRUE(world.execute(world.set));
  EXPECT_EQ(world.asked(), 3U);
  EXPECT_TRUE(world.holds(world.set));
  world.bucket.objects["set/a"] = "changed";
  EXPECT_TRUE(world.settle().empty());
  EXPECT_FALSE(world.holds(world.set));
  ASSERT_TRUE(world.execute(world.set));
  EXPECT_EQ(world.asked(), 5U);
}

TEST(External, TargetsOfOneUrlAskOnceAndGetEachObjectOnce) {
  ExternalWorld world;
  const TargetId other = world.add("data", {{"dest", ExternalWorld::value(std::string("d"))},
                                            {"url", ExternalWorld::value(std::string("s3://theirs/set"))}});
  EXPECT_TRUE(world.settle().empty());
  const auto first = world.describe(world.set), second = world.describe(other);
  ASSERT_TRUE(world.execute(world.set, *first));
  ASSERT_TRUE(world.execute(other, *second));
  EXPECT_EQ(world.asked(), 3U);
  world.bucket.exists = false;
  EXPECT_EQ(world.settle().size(), 2U) << "each is told";
}

TEST(External, WhatCameForAnotherTargetMeanwhileIsNotReadAgain) {
  ExternalWorld world;
  const StoreServices services{world.host, world.workspace, world.space, world.rooms, world.tally};
  DataPlaces places(services);
  ExternalData external(services, places, world.blobs);
  const Target& target = world.graph[world.set];
  const auto list = external.look_again(target);
  ASSERT_TRUE(list);
  const Doing doing{
      {}, {}, [](const Event&) {}, world.tally, [](const std::function<void()>& work) { work(); }};
  for (int i = 0; i < 2; ++i) {
    const auto brought = external.bring_here(target, *list, doing);
    ASSERT_TRUE(brought);
    EXPECT_TRUE(external.is_here(**brought).value());
  }
  EXPECT_EQ(world.asked(), 3U);
}

TEST(External, AfreshItIsReadAnewOnce) {
  ExternalWorld world;
  EXPECT_TRUE(world.settle().empty());
  ASSERT_TRUE(world.execute(world.set));
  const std::uint64_t before = world.asked();
  world.afresh = true;
  ASSERT_TRUE(world.execute(world.set));
  EXPECT_EQ(world.asked(), before + 2);
  ASSERT_TRUE(world.execute(world.set));
  EXPECT_EQ(world.asked(), before + 2);
}

TEST(External, WhatIsDamagedOnTheWayIsAskedForAgainAndNeverKept) {
  for (const int damaged : {2, 9}) {
    ExternalWorld world;
    EXPECT_TRUE(world.settle().empty());
    std::atomic<int> left = damaged;
    world.http.answer = [&](const HttpRequest& request) {
      Result<HttpResponse> response = world.bucket.answer(request);
      if (request.method == "GET" && request.url.ends_with("/a") && left-- > 0) response->body[0] ^= 1;
      return response;
    };
    const auto done = world.execute(world.set);
    EXPECT_EQ(done.has_value(), damaged == 2);
    EXPECT_EQ(world.blobs.has(sha256_of("one")).value(), damaged == 2);
    for (const std::string& path : world.files.all_files())
      EXPECT_EQ(path.find(sha256_of("nne").hex()), path.npos) << "kept, damaged";
    EXPECT_TRUE(done || done.error().message.find("damaged") != std::string::npos);
  }
}

TEST(External, BlobsThatRottedAreFoundAndComeAgain) {
  ExternalWorld world;
  EXPECT_TRUE(world.settle().empty());
  ASSERT_TRUE(world.execute(world.set));
  world.files.put(world.blobs.path(sha256_of("one")), "0ne");
  const StoreServices services{world.host, world.workspace, world.space, world.rooms, world.tally};
  DataPlaces places(services);
  ExternalData external(services, places, world.blobs);
  const auto list = external.known(world.graph[world.set]).value();
  const auto kept = external.check_kept(*list, {});
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->objects, 2U);
  EXPECT_EQ(kept->damaged, std::vector<std::string>{"a"});
  EXPECT_FALSE(world.holds(world.set));
  ASSERT_TRUE(world.execute(world.set));
  EXPECT_TRUE(world.holds(world.set));
}

TEST(External, AKeyThatIsListedTwiceIsOneOrAnError) {
  for (const bool alike : {true, false}) {
    ExternalWorld world;
    const auto entry = [](const char* tag) {
      return cat("<Contents><Key>set/a</Key><Size>3</Size><ETag>", tag, "</ETag></Contents>");
    };
    world.http.answer = [&](const HttpRequest&) {
      return HttpResponse{
          200, {}, cat("<ListBucketResult>", entry("t"), entry(alike ? "t" : "u"), "</ListBucketResult>")};
    };
    EXPECT_EQ(world.settle().empty(), alike);

    const StoreServices services{world.host, world.workspace, world.space, world.rooms, world.tally};
    DataPlaces places(services);
    ExternalData external(services, places, world.blobs);
    const auto list = external.known(world.graph[world.set]).value();
    EXPECT_EQ(list ? list->size() : 0U, alike ? 1U : 0U);
  }
}

TEST(External, AnObjectThatIsAFolderOfAnotherIsTold) {
  ExternalWorld world;
  world.bucket.objects["set/a"] = "a file";
  world.bucket.objects["set/a-b"] = "beside it";
  world.bucket.objects["set/a/b"] = "in a folder of that name";
  const auto told = world.settle();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].message.find("`a/b`"), std::string::npos) << told[0].message;
}

TEST(External, DownloadsThatWereKilledAreTidiedUp) {
  ExternalWorld world;
  world.files.put("/w/.trainmake/listed/.part-1-2/file", "half");
  EXPECT_TRUE(world.settle().empty());
  ASSERT_TRUE(world.execute(world.set));
  for (const std::string& path : world.files.all_files()) EXPECT_EQ(path.find("/.part-"), path.npos) << path;
}

TEST(External, AQueryIsRefusedUnseen) {
  for (const char* url : {"s3://theirs/set?sig=WORD", "https://x/y?sig=WORD", "s3://theirs#WORD"}) {
    const auto errors = wrong_url(ExternalWorld::value(std::string(url)));
    ASSERT_EQ(errors.size(), 1U) << url;
    EXPECT_EQ(cat(errors[0].message, errors[0].hint).find("WORD"), std::string::npos);
  }
  EXPECT_TRUE(wrong_url(ExternalWorld::value(std::string("dir:/mnt/what?"))).empty());
}

TEST(External, AnEmptyFolderIsPerhapsNotMounted) {
  RuleWorld world;
  world.files.put_folder("/mnt/set");
  const std::map<std::string, Value> attributes = {{"url", RuleWorld::value(std::string("dir:/mnt/set"))}};
  const auto described = world.describe(world.add("data", attributes));
  ASSERT_FALSE(described);
  EXPECT_NE(described.error().hint.find("mounted"), std::string::npos);
  auto allowed = attributes;
  allowed.emplace("empty_folders", RuleWorld::value(true));
  EXPECT_TRUE(world.describe(world.add("data", allowed)));
}

TEST(External, AFolderGoesToTheStoreThatItNamesAndToNoOther) {
  RuleWorld world;
  world.files.put("/mnt/set/a", "one");
  world.files.put_link("/w/linked", "/mnt/set");
  world.space.default_store = "two";
  const auto add = [&](const char* url, bool says_store) {
    std::map<std::string, Value> attributes = {{"url", RuleWorld::value(std::string(url))}};
    if (says_store) {
      attributes.emplace("store", RuleWorld::value(std::string("one")));
      attributes.emplace("prefix", RuleWorld::value(std::string("p")));
    }
    return world.add("data", attributes);
  };
  ASSERT_TRUE(world.execute(add("dir:/mnt/set", false)));
  EXPECT_EQ(world.tally.uploaded_objects, 0U);
  ASSERT_TRUE(world.execute(add("dir:linked", true)));
  EXPECT_EQ(world.files.content("/w/bucket-one/p/a"), "one");
}

TEST(External, ABlobThatIsGoneComesAgain) {
  ExternalWorld world;
  EXPECT_TRUE(world.settle().empty());
  ASSERT_TRUE(world.execute(world.set));
  ASSERT_TRUE(world.blobs.remove(sha256_of("one")));
  EXPECT_FALSE(world.holds(world.set));
  ASSERT_TRUE(world.execute(world.set));
  EXPECT_TRUE(world.holds(world.set));
}

TEST(External, WhatIsNoPathIsNoFile) {
  for (const std::string& key :
       {std::string("set/a//b"), std::string("set//a"), std::string("set/../b"), std::string("set/./b"),
        std::string("set/a\0b", 7), cat("set/", std::string(256, 'x'))}) {
    ExternalWorld world;
    world.bucket.objects[key] = "x";
    const auto errors = world.settle();
    ASSERT_EQ(errors.size(), 1U) << key;
    EXPECT_EQ(errors.front().blame, Blame::kRemote);
  }
}

TEST(External, FoldersKeysAndWhatATrainmakeKeepsAreNoFiles) {
  ExternalWorld world;
  world.bucket.objects["set/b/"] = "";
  world.bucket.objects["set/.trainmake/d/.mirror.json"] = "{}";
  EXPECT_TRUE(world.settle().empty());
  ASSERT_TRUE(world.execute(world.set));
  EXPECT_EQ(world.asked(), 3U);
}

TEST(External, ADamagedListIsAskedForAgain) {
  ExternalWorld world;
  EXPECT_TRUE(world.settle().empty());
  for (const std::string& path : world.files.all_files()) {
    if (path.find("/listed/") == std::string::npos) continue;
    std::string bytes = world.files.content("/" + path);
    bytes[bytes.size() / 2] ^= 1;
    world.files.put("/" + path, bytes);
  }
  const StoreServices services{world.host, world.workspace, world.space, world.rooms, world.tally};
  DataPlaces places(services);
  ExternalData again(services, places, world.blobs);
  EXPECT_EQ(again.known(world.graph[world.set]).value(), nullptr);
  EXPECT_EQ(again.look_again(world.graph[world.set]).value()->size(), 2U);
}

TEST(External, ItsListHasOneDigest) {
  const ExternalList list = {{"a", 1, "t", {}}, {"b", 2, "u", {}}};
  const std::string digest = digest_of_list(list);
  for (const ExternalList& other :
       {ExternalList{{"a", 1, "t", {}}}, ExternalList{{"a", 1, "t", {}}, {"b", 2, "v", {}}},
        ExternalList{{"a", 1, "t", {}}, {"b", 3, "u", {}}},
        ExternalList{{"a", 1, "t", {}}, {"c", 2, "u", {}}}})
    EXPECT_NE(digest_of_list(other), digest);
  EXPECT_EQ(digest_of_list({{"a", 1, "t", sha256_of("here")}, {"b", 2, "u", {}}}), digest);
}

// Of a web server whose tags are a time and a size, which another file may share.
struct WebWorld : RuleWorld {
  FakeWebdav server{"https://dav.test"};
  TargetId set = add("data", {{"url", value(std::string("https://dav.test/set"))}});
  bool is_cut = false;

  WebWorld() {
    server.heeds_conditions = false;
    server.put_takes_s = 0;
    files.now_ns = FakeClock::kStart;  // or what came would be old
    rooms.push_back({"https", make_http_store});
    http.answer = [this](const HttpRequest& request) -> Result<HttpResponse> {
      if (is_cut && request.method == "GET")
        return fail(user_error("The connection was cut").because(Blame::kRemote));
      return server.answer(request);
    };
  }
  // As far as that, and then the trainmake dies.
  void read_up_to(std::size_t bytes) {
    data.before_run(graph, [](const Event&) {});
    http.cuts = {bytes};
    http.answer = [this, inner = http.answer](const HttpRequest& request) {
      const Result<HttpResponse> response = inner(request);
      is_cut = is_cut || (request.method == "GET" && request.url.ends_with("/big"));
      return response;
    };
    EXPECT_FALSE(execute(set));
    is_cut = false;
  }

  // Four bytes of one came, and another one of that size takes its place.
  void expect_no_mixture() {
    server.put("/set/big", "1111111111");
    read_up_to(4);
    server.put("/set/big", "2222222222");
    http.answer = [&](const HttpRequest& request) { return server.answer(request); };
    ASSERT_TRUE(execute(set));
    EXPECT_TRUE(blobs.has(sha256_of("2222222222")).value());
    EXPECT_FALSE(blobs.has(sha256_of("1111222222")).value());
  }
};

TEST(External, WhatCameUnderATagOfTimeAndSizeIsNotGoneOnFrom) {
  WebWorld world;
  world.expect_no_mixture();
}

// Nor in a bucket of a service whose tags are no MD5.
TEST(External, WhatCameUnderATagThatIsNoDigestIsNotGoneOnFrom) {
  for (const bool is_digest : {true, false}) {
    ExternalWorld world;
    world.bucket.one_tag = is_digest ? cat(std::string(32, 'a'), "-2") : "65920080-a";
    world.files.now_ns = FakeClock::kStart;  // or what came would be old
    world.bucket.objects = {{"set/big", "1111111111"}};
    world.data.before_run(world.graph, [](const Event&) {});
    bool is_cut = false;
    world.http.cuts = {4};
    world.bucket.fault = [&](const HttpRequest& request) -> std::optional<FakeBucket::Fault> {
      if (is_cut) return FakeBucket::Fault{0};
      is_cut = request.url.ends_with("/big");
      return std::nullopt;
    };
    EXPECT_FALSE(world.execute(world.set));
    world.bucket.fault = nullptr;
    world.bucket.objects = {{"set/big", "2222222222"}};
    ASSERT_TRUE(world.execute(world.set));
    EXPECT_EQ(world.blobs.has(sha256_of("1111222222")).value(), is_digest) << "it was gone on from";
    EXPECT_EQ(world.blobs.has(sha256_of("2222222222")).value(), !is_digest);
  }
}

// A server may make its tag of a file's number, its size and its time, and digest those: by its looks it
// tells of the bytes.
TEST(External, WhatCameUnderATagThatLooksLikeADigestIsNotGoneOnFrom) {
  WebWorld world;
  world.server.heeds_conditions = true;
  world.server.tag = std::string(40, 'a');
  world.expect_no_mixture();
}

// What we would call so there is somebody else's here.
TEST(External, NamesOfAWebServerAreTakenAsTheyAre) {
  WebWorld world;
  const std::vector<std::string> names = {".labels", "a.txt", "~.x", "~run1.npy", "~~y"};
  for (const std::string& name : names) world.server.put(cat("/set/", name), name);
  world.server.put("/set/deep/~z/.q", "q");
  world.server.put("/set/~.trainmake/data/d/~.mirror.json", "what a trainmake keeps");
  world.server.shows_hidden = true;
  world.data.before_run(world.graph, [](const Event&) {});
  ASSERT_TRUE(world.execute(world.set));
  const StoreServices services{world.host, world.workspace, world.space, world.rooms, world.tally};
  DataPlaces places(services);
  ExternalData external(services, places, world.blobs);
  std::vector<std::string> keys;
  for (const ExternalObject& object : **external.known(world.graph[world.set])) keys.push_back(object.key);
  std::vector<std::string> all = names;
  all.insert(all.begin() + 2, "deep/~z/.q");
  EXPECT_EQ(keys, all);
  for (const std::string& name : names) EXPECT_TRUE(world.blobs.has(sha256_of(name)).value()) << name;
}

TEST(External, ADiskThatIsFullIsToldWithWhatFreesIt) {
  ExternalWorld world;
  EXPECT_TRUE(world.settle().empty());
  world.files.fail_nth("write", 2, ENOSPC);
  const auto done = world.execute(world.set);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().hint.find("`trainmake gc`"), std::string::npos) << done.error().message;
}

TEST(External, ABucketThatIsMissingIsNotMade) {
  ExternalWorld world;
  world.bucket.exists = false;
  const auto errors = world.settle();
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_NE(errors.front().message.find("NoSuchBucket"), std::string::npos);
  EXPECT_FALSE(world.bucket.exists);
}

}  // namespace
}  // namespace trainmake
