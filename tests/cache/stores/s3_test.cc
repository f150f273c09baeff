#include "cache/stores/s3/s3_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <set>

#include "cache/file_digests.h"
#include "cache/stores/s3/s3_answers.h"
#include "cache/stores/s3/s3_place.h"
#include "cache/stores/s3/s3_upload.h"
#include "engine/base/text.h"
#include "tests/support/fake_bucket.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/store_under_test.h"

namespace trainmake {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

Value value(const std::string& text) {
  Value made;
  made.data = text;
  return made;
}

Service service_of(const std::string& url, std::vector<std::pair<std::string, Value>> attributes = {}) {
  attributes.emplace_back("url", value(url));
  std::sort(attributes.begin(), attributes.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return {"store", "bucket", {{}, {attributes.begin(), attributes.end()}}, {"TRAINSPACE.lua", 1}};
}

Value no() {
  Value said;
  said.data = false;
  return said;
}

struct S3World {
  std::shared_ptr<MemFileSystem> files = std::make_shared<MemFileSystem>();
  FakeProcesses processes;
  FakeHttp http;
  FakeClock clock;
  Environment environment{{{"AWS_ACCESS_KEY_ID", "KEY"}, {"AWS_SECRET_ACCESS_KEY", "SECRET"}}};
  Host host{*files, processes, http, clock, environment};
  Workspace workspace{"/w", "/w/.trainmake", ""};
  Tally tally;
  FakeBucket bucket{"http://s3.test:9000", "data", {"KEY", "SECRET", ""}, "us-east-1"};
  std::unique_ptr<Store> store;
  PutFile last;
  bool notes_are_kept = false;
  std::vector<std::string> notes;
  std::mutex mutex;  // guards notes
  std::mutex bucket_mutex;

  explicit S3World(const std::string& url = "s3://data/some/prefix", bool create = false,
                   const Fields& more = {}) {
    http.answer = [this](const HttpRequest& request) {
      const std::lock_guard lock(bucket_mutex);
      return bucket.answer(request);
    };
    Value yes;
    yes.data = true;
    Value creates;
    creates.data = create;
    Fields said = {{"endpoint", value("http://s3.test:9000")}, {"path_style", yes}, {"create", creates}};
    said.insert(said.end(), more.begin(), more.end());
    auto made = make_s3_store(host, workspace, service_of(url, said), tally);
    EXPECT_TRUE(made);
    store = *std::move(made);
  }
  ~S3World() { EXPECT_TRUE(bucket.wrong.empty()) << bucket.wrong.front(); }

  Result<void> put(const std::string& key, const std::string& bytes) {
    files->put("/src/f", bytes);
    ContentHasher hasher;
    hasher.add(bytes);
    return put_like(key, hasher.finish());
  }
  Result<void> put_like(const std::string& key, const Digest128& content,
                        std::optional<LikeObject> like = std::nullopt) {
    FileToPut file{key, "/src/f", content, std::move(like)};
    file.notes = notes;
    if (notes_are_kept)
      file.note = [this](const std::string& note) {
        const std::lock_guard lock(mutex);
        notes.push_back(note);
      };
    TRY_ASSIGN(last, store->put_file(file, {}));
    return {};
  }
  // Of the file that is put.
  Digest128 content() const {
    ContentHasher hasher;
    hasher.add(files->content("/src/f"));
    return hasher.finish();
  }
  std::size_t count(std::string_view method) const {
    const std::vector<HttpRequest> requests = http.requests();
    return static_cast<std::size_t>(std::count_if(
        requests.begin(), requests.end(), [&](const HttpRequest& each) { return each.method == method; }));
  }
};

}  // namespace

StoreUnderTest s3_under_test() {
  auto world = std::make_shared<S3World>();
  return {world->files, {world->store.get(), [world](Store*) {}}, false, &world->http};
}

namespace {

TEST(S3Store, KeysLieBelowItsPrefix) {
  S3World world;
  ASSERT_TRUE(world.put("a b/ü.txt", "x"));
  EXPECT_EQ(world.bucket.objects.begin()->first, "some/prefix/a b/ü.txt");
}

TEST(S3Store, AFileOfSeveralPartsTravelsWhole) {
  S3World world;
  std::string bytes(70 * kMiB + 5, 'x');
  for (std::size_t i = 0; i < bytes.size(); i += 4096) bytes[i] = static_cast<char>(i >> 12U);
  ASSERT_TRUE(world.put("big", bytes));
  EXPECT_TRUE(world.bucket.objects["some/prefix/big"] == bytes);
  EXPECT_TRUE(world.bucket.uploads.empty());
  EXPECT_EQ(world.count("PUT"), 5U);
}

TEST(S3Store, ALargeFileThatChangedLeavesNothing) {
  S3World world;
  world.files->put("/src/f", std::string(70 * kMiB, 'x'));
  EXPECT_FALSE(world.store->put_file({"big", "/src/f", digest_of("before")}, {}));
  EXPECT_TRUE(world.bucket.objects.empty());
  EXPECT_TRUE(world.bucket.uploads.empty());
}

TEST(S3Store, ListsMoreThanOneAnswerHolds) {
  S3World world;
  world.bucket.page = 7;
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(world.store->put(cat("k&<", i), "x", {}));
  world.bucket.objects["some/prefixed"] = "of a neighbour";
  std::set<std::string> seen;
  ASSERT_TRUE(world.store->list("", [&](const StoredObject& object) { seen.insert(object.key); }));
  EXPECT_EQ(seen.size(), 30U);
  EXPECT_TRUE(seen.contains("k&<7"));
}

TEST(S3Store, AListOfMoreThanWasAskedForIsTakenAsFarAsItWas) {
  S3World world;
  for (const char* key : {"a/1", "b"}) ASSERT_TRUE(world.store->put(key, "x", {}));
  world.bucket.objects["some/prefixed"] = world.bucket.objects["a"] = "of a neighbour";
  world.bucket.heeds_prefix = false;
  std::set<std::string> seen;
  ASSERT_TRUE(world.store->list("a/", [&](const StoredObject& object) { seen.insert(object.key); }));
  EXPECT_EQ(seen, (std::set<std::string>{"a/1"}));
}

TEST(S3Store, AListThatDoesNotGoOnIsToldOf) {
  const auto page = [](const std::string& more, const std::string& key) {
    return cat("<ListBucketResult><IsTruncated>true</IsTruncated>", more,
               key.empty() ? "" : cat("<Contents><Key>some/prefix/", key, "</Key><Size>1</Size></Contents>"),
               "</ListBucketResult>");
  };
  const auto token = [](int number) {
    return cat("<NextContinuationToken>", number, "</NextContinuationToken>");
  };
  const std::vector<std::function<std::string(int)>> services = {
      [&](int) { return page("<NextMarker>some/prefix/a</NextMarker>", "a"); },
      [&](int) { return page("", "a"); }, [&](int asked) { return page(token(asked % 2), cat("k", asked)); },
      [&](int asked) { return page(token(asked), "a"); }, [&](int asked) { return page(token(asked), ""); }};
  for (const auto& service : services) {
    S3World world;
    int asked = 0;
    world.http.answer = [&](const HttpRequest&) { return HttpResponse{200, {}, service(asked++)}; };
    const auto listed = world.store->list("", [](const StoredObject&) {});
    ASSERT_FALSE(listed);
    EXPECT_EQ(listed.error().blame, Blame::kRemote) << listed.error().message;
    EXPECT_LT(asked, 200);
  }
}

TEST(S3Store, AReadIsOnConditionOfItsTag) {
  S3World world;
  ASSERT_TRUE(world.put("k", "one"));
  const std::string tag = world.last.tag;
  const auto read = [&] { return world.store->read({"k", tag}, [](auto) { return Result<void>(); }, {}); };
  ASSERT_EQ(read(), ReadEnd::kWhole);
  const auto headers = world.http.requests().back().headers;
  EXPECT_TRUE(std::any_of(headers.begin(), headers.end(), [&](const auto& header) {
    return header.first == "If-Match" && header.second == cat("\"", tag, "\"");
  }));
  ASSERT_TRUE(world.put("k", "two"));
  EXPECT_EQ(read(), ReadEnd::kGone);
}

TEST(S3Store, BytesAreHeldAgainstATagThatIsTheirMd5) {
  const auto read = [](const std::string& tag, const std::string& encryption) {
    S3World world;
    world.http.answer = [&](const HttpRequest&) {
      return HttpResponse{
          200, {{"etag", cat("\"", tag, "\"")}, {"x-amz-server-side-encryption", encryption}}, "hello"};
    };
    return world.store->read({"k", tag}, [](auto) { return Result<void>(); }, {}).value();
  };
  EXPECT_EQ(read("5d41402abc4b2a76b9719d911017c592", ""), ReadEnd::kWhole);
  EXPECT_EQ(read("5D41402ABC4B2A76B9719D911017C592", ""), ReadEnd::kWhole);
  EXPECT_EQ(read("5d41402abc4b2a76b9719d911017c593", ""), ReadEnd::kDamaged);
  EXPECT_EQ(read("5d41402abc4b2a76b9719d911017c593", "AES256"), ReadEnd::kDamaged);
  EXPECT_EQ(read("5d41402abc4b2a76b9719d911017c593", "aws:kms"), ReadEnd::kWhole) << "it is no MD5 then";
  EXPECT_EQ(read("5d41402abc4b2a76b9719d911017c593-2", ""), ReadEnd::kWhole);
}

TEST(S3Store, ABucketInTheHostOfAServiceThatKnowsNoneIsAdvisedOn) {
  for (const Result<HttpResponse>& answer :
       {Result<HttpResponse>(HttpResponse{400, {}, "<Error><Code>InvalidBucketName</Code></Error>"}),
        Result<HttpResponse>(
            fail(user_error("Cannot reach `data.s3.test`: Could not resolve host: data.s3.test", "Look")
                     .because(Blame::kRemote)
                     .lasting()))}) {
    S3World world;
    world.http.answer = [&](const HttpRequest&) { return answer; };
    for (const bool says_endpoint : {true, false}) {
      std::vector<std::pair<std::string, Value>> attributes;
      if (says_endpoint) attributes.emplace_back("endpoint", value("http://s3.test:9000"));
      const auto store =
          make_s3_store(world.host, world.workspace, service_of("s3://data", attributes), world.tally);
      const auto got = (*store)->get("k");
      ASSERT_FALSE(got);
      EXPECT_EQ(got.error().hint.find("path_style = true") != std::string::npos, says_endpoint)
          << got.error().hint;
    }
  }
}

TEST(S3Store, TroubleThatPassesIsWaitedFor) {
  for (const FakeBucket::Fault& fault : {FakeBucket::Fault{500}, FakeBucket::Fault{503, false, "SlowDown"},
                                         FakeBucket::Fault{0}, FakeBucket::Fault{0, true}}) {
    S3World world;
    world.bucket.fault = [&, left = 3](const HttpRequest&) mutable -> std::optional<FakeBucket::Fault> {
      return left-- > 0 ? std::optional(fault) : std::nullopt;
    };
    EXPECT_TRUE(world.put("k", "x")) << fault.status;
    EXPECT_EQ(world.bucket.objects["some/prefix/k"], "x");
  }
}

TEST(S3Store, ARefusalSaysWhatTheServiceSaidAndWhatToDo) {
  S3World world;
  world.environment.variables["AWS_SECRET_ACCESS_KEY"] = "WRONG-SECRET";
  const Result<void> put = world.put("k", "x");
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().blame, Blame::kRemote);
  EXPECT_NE(put.error().message.find("403, SignatureDoesNotMatch"), std::string::npos) << put.error().message;
  EXPECT_NE(put.error().hint.find("AWS_SECRET_ACCESS_KEY"), std::string::npos);
  EXPECT_EQ(put.error().message.find("WRONG-SECRET"), std::string::npos);
}

// As of something in between that takes no writes.
TEST(S3, AServiceThatImplementsNoPutIsRefused) {
  S3World world;
  int asked = 0;
  world.bucket.fault = [&](const HttpRequest& request) -> std::optional<FakeBucket::Fault> {
    if (request.method != "PUT" || ++asked > 20) return std::nullopt;
    return FakeBucket::Fault{501, false, "NotImplemented"};
  };
  EXPECT_FALSE(world.store->put("k", "x", "").value()) << "perhaps of the condition";
  const auto put = world.store->put("k", "x", "");
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().blame, Blame::kRemote);
  EXPECT_EQ(asked, 2) << "once without a condition";
}

// What it puts is on its way until that is let go.
class SlowHttp final : public Http {
 public:
  explicit SlowHttp(Http& inner) : inner_(inner) {}
  Result<HttpResponse> send(const HttpRequest& request, std::stop_token stop) override {
    if (request.method == "PUT") {
      is_sending = true;
      const std::int64_t began = real_clock().steady_ns();
      while (!may_arrive && real_clock().steady_ns() - began < 5'000'000'000) std::this_thread::yield();
    }
    return inner_.send(request, stop);
  }
  std::jthread get_ready() override { return {}; }

  std::atomic<bool> is_sending = false, may_arrive = false;

 private:
  Http& inner_;
};

// Or a lease could not be held while large objects travel.
TEST(S3, WhatIsAskedAtOnceWaitsForNoOther) {
  S3World world;
  EXPECT_TRUE(world.put("k", "x"));
  SlowHttp slow(world.http);
  Host host{*world.files, world.processes, slow, world.clock, world.environment};
  Value one, yes;
  one.data = std::int64_t{1};
  yes.data = true;
  const auto store = *make_s3_store(
      host, world.workspace,
      service_of("s3://data/some/prefix",
                 {{"endpoint", value("http://s3.test:9000")}, {"path_style", yes}, {"requests", one}}),
      world.tally);
  const std::jthread sending([&] { EXPECT_TRUE(store->put("other", "y", {})); });
  while (!slow.is_sending) std::this_thread::yield();
  const std::int64_t began = real_clock().steady_ns();
  EXPECT_TRUE(*store->look_at_once("k"));
  EXPECT_LT(real_clock().steady_ns() - began, 4'000'000'000);
  slow.may_arrive = true;
}

TEST(S3, LongSilenceIsToldOnceForAllThatWait) {
  S3World world;
  std::vector<std::string> heard;
  const auto heeding = world.store->heed({}, [&](const std::string& text) { heard.push_back(text); });
  int left = 0;
  world.bucket.fault = [&](const HttpRequest&) -> std::optional<FakeBucket::Fault> {
    if (left-- <= 0) return std::nullopt;
    world.clock.advance(std::chrono::seconds(8));
    return FakeBucket::Fault{503, false, "SlowDown"};
  };
  for (const int tries : {1, 4, 4}) {
    left = tries;
    EXPECT_TRUE(world.put("k", "x"));
  }
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_NE(heard[0].find("HTTP 503"), std::string::npos) << heard[0];
  world.clock.advance(std::chrono::minutes(2));
  left = 4;
  EXPECT_TRUE(world.put("k", "x"));
  EXPECT_EQ(heard.size(), 2U);
}

TEST(S3Store, AnotherRegionAndAWrongClockAreTold) {
  const auto hint = [](FakeBucket::Fault fault) {
    S3World world;
    world.bucket.fault = [&](const HttpRequest&) { return std::optional(fault); };
    const Result<void> put = world.put("k", "x");
    return put ? "" : put.error().hint;
  };
  EXPECT_NE(hint({301, false, "PermanentRedirect", {{"x-amz-bucket-region", "eu-west-1"}}})
                .find("`region = \"eu-west-1\"`"),
            std::string::npos);
  EXPECT_NE(hint({403, false, "RequestTimeTooSkewed"}).find("clock is"), std::string::npos);
}

TEST(S3Store, ABucketIsMadeInTheRegionOfTheAccount) {
  S3World world("s3://data/some/prefix", true);
  world.environment.variables["AWS_REGION"] = "eu-west-1";
  world.bucket = {"http://s3.test:9000", "data", {"KEY", "SECRET", ""}, "eu-west-1"};
  world.bucket.exists = false;
  EXPECT_TRUE(world.put("k", "x"));
  EXPECT_TRUE(world.bucket.exists);
}

TEST(S3Store, ABucketIsMadeWhenThatIsAskedFor) {
  S3World refuses;
  refuses.bucket.exists = false;
  const Result<void> put = refuses.put("k", "x");
  ASSERT_FALSE(put);
  EXPECT_NE(put.error().hint.find("`create = true`"), std::string::npos);
  S3World makes("s3://data/some/prefix", true);
  makes.bucket.exists = false;
  EXPECT_FALSE(makes.store->get("k").value());
  EXPECT_TRUE(makes.store->list("", [](const StoredObject&) { FAIL(); }));
  ASSERT_TRUE(makes.put("k", "x"));
  EXPECT_EQ(makes.bucket.objects.size(), 1U);
}

std::string varied(std::uint64_t size) {
  std::string bytes(size, 'x');
  for (std::size_t i = 0; i < bytes.size(); i += 4096) bytes[i] = static_cast<char>(i >> 12U);
  return bytes;
}

TEST(S3Store, WhatIsThereUnderAnotherKeyIsCopied) {
  S3World world;
  const std::string bytes = varied(kMiB);
  ASSERT_TRUE(world.put("a b", bytes));
  const LikeObject like{"a b", world.last.tag, kMiB, digest_of(bytes), {}};
  ASSERT_TRUE(world.put_like("c", digest_of(bytes), like));
  EXPECT_TRUE(world.last.copied);
  EXPECT_EQ(world.last.sent, 0U);
  EXPECT_TRUE(world.bucket.objects["some/prefix/c"] == bytes);
  EXPECT_EQ((*world.store->look("c"))->content, digest_of(bytes));
}

TEST(S3Store, WhatIsAnotherByNowIsSentInPlaceOfCopied) {
  S3World world;
  const std::string bytes = varied(kMiB);
  world.files->put("/src/f", bytes);
  ASSERT_TRUE(world.store->put("a", "other", {}));
  ASSERT_TRUE(world.put_like("c", digest_of(bytes), LikeObject{"a", "tag", kMiB, digest_of(bytes), {}}));
  EXPECT_FALSE(world.last.copied);
  EXPECT_TRUE(world.bucket.objects["some/prefix/c"] == bytes);
}

// Nothing else would tell that somebody else replaced it.
TEST(S3Store, WithoutConditionsACopyIsHeldAgainstTheTagOfItsSource) {
  const std::string bytes = varied(kMiB);
  for (const bool is_same : {true, false}) {
    S3World world("s3://data/some/prefix", false, {{"conditional", no()}});
    world.bucket.heeds_conditions = false;
    ASSERT_TRUE(world.put("a", bytes));
    const LikeObject like{"a", world.last.tag, kMiB, digest_of(bytes), {}};
    if (!is_same) world.bucket.objects["some/prefix/a"] = std::string(kMiB, 'e');
    ASSERT_TRUE(world.put_like("c", digest_of(bytes), like));
    EXPECT_EQ(world.last.copied, is_same);
    EXPECT_TRUE(world.bucket.objects["some/prefix/c"] == bytes);
    const std::size_t before = world.count("PUT");
    ASSERT_TRUE(world.put_like("d", digest_of(bytes), LikeObject{"a", "0-2", kMiB, digest_of(bytes), {}}));
    EXPECT_FALSE(world.last.copied) << "a tag of parts tells nothing";
    EXPECT_EQ(world.count("PUT") - before, 1U);
  }
}

TEST(S3Store, WithoutConditionsPartsThatAreTakenOverAreHeldAgainstTheirTags) {
  for (const bool is_same : {true, false}) {
    S3World world("s3://data/some/prefix", false, {{"conditional", no()}});
    world.bucket.heeds_conditions = false;
    std::string bytes = varied(40 * kMiB);
    ASSERT_TRUE(world.put("big", bytes));
    const LikeObject like{"big", world.last.tag, bytes.size(), {}, world.last.chunks};
    if (!is_same) world.bucket.objects["some/prefix/big"][7] ^= 1;
    bytes += "more";
    world.files->put("/src/f", bytes);
    ContentHasher hasher;
    hasher.add(bytes);
    ASSERT_TRUE(world.put_like("big", hasher.finish(), like));
    EXPECT_EQ(world.last.sent < bytes.size(), is_same);
    EXPECT_TRUE(world.bucket.objects["some/prefix/big"] == bytes);
  }
}

// Of one that was put in parts the answer's tag is another: the MD5 of what was copied. Nothing more is
// asked.
TEST(S3Store, ACopyOfWhatWasPutInPartsIsHeldAgainstItsBytes) {
  const std::string bytes = varied(kMiB);
  for (const bool is_same : {true, false}) {
    S3World world;
    world.bucket.server = "somebody";
    world.bucket.heeds_copy_conditions = false;
    ASSERT_TRUE(world.put("a", bytes));
    const LikeObject like{"a", cat(std::string(32, 'a'), "-2"), bytes.size(), world.content(), {}};
    if (!is_same) world.bucket.objects["some/prefix/a"][7] ^= 1;
    ASSERT_TRUE(world.put_like("c", like.content, like));
    EXPECT_EQ(world.last.copied, is_same);
    EXPECT_TRUE(world.bucket.objects["some/prefix/c"] == bytes);
    EXPECT_EQ(world.count("HEAD"), 0U);
  }
}

TEST(S3Store, PartsThatAreTakenOverAreHeldAgainstTheirBytes) {
  for (const bool is_same : {true, false}) {
    S3World world;
    world.bucket.server = "somebody";
    world.bucket.heeds_copy_conditions = false;
    std::string bytes = varied(17 * kMiB);
    ASSERT_TRUE(world.put("big", bytes));
    const LikeObject like{"big", world.last.tag, bytes.size(), {}, world.last.chunks};
    if (!is_same) world.bucket.objects["some/prefix/big"][7] ^= 1;
    bytes += "more";
    world.files->put("/src/f", bytes);
    ASSERT_TRUE(world.put_like("big", world.content(), like));
    EXPECT_EQ(world.last.sent < bytes.size(), is_same);
    EXPECT_TRUE(world.bucket.objects["some/prefix/big"] == bytes);
    EXPECT_EQ(world.count("HEAD"), 0U);
  }
}

// Encrypted with a key of somebody's own, a copy's tag tells nothing.
TEST(S3Store, WhereTheTagOfACopyTellsNothingItsSourceIsLookedAt) {
  const std::string bytes = varied(kMiB);
  for (const auto& [server, is_same, looks] :
       {std::tuple("MinIO", true, 0U), std::tuple("somebody", true, 1U), std::tuple("somebody", false, 1U)}) {
    S3World world;
    world.bucket.server = server;
    world.bucket.encryption = "aws:kms";
    world.bucket.heeds_copy_conditions = is_same;
    ASSERT_TRUE(world.put("a", bytes));
    const LikeObject like{"a", world.last.tag, bytes.size(), world.content(), {}};
    if (!is_same) world.bucket.objects["some/prefix/a"][7] ^= 1;
    ASSERT_TRUE(world.put_like("c", like.content, like));
    EXPECT_EQ(world.last.copied, is_same) << server;
    EXPECT_TRUE(world.bucket.objects["some/prefix/c"] == bytes);
    EXPECT_EQ(world.count("HEAD"), looks) << server;
  }
}

TEST(S3Store, WhatWasAppendedTravelsAlone) {
  S3World world;
  std::string bytes = varied(70 * kMiB);
  ASSERT_TRUE(world.put("big", bytes));
  ASSERT_EQ(world.last.chunks.size(), 5U);
  const LikeObject like{"big", world.last.tag, bytes.size(), {}, world.last.chunks};
  bytes += std::string(kMiB, 'z');
  bytes[20 * kMiB] = '!';
  world.files->put("/src/f", bytes);
  ContentHasher hasher;
  hasher.add(bytes);
  ASSERT_TRUE(world.put_like("big", hasher.finish(), like));
  EXPECT_EQ(world.last.sent, 16 * kMiB + 7 * kMiB);
  EXPECT_EQ(world.bucket.copied_parts, 2U);
  EXPECT_TRUE(world.bucket.objects["some/prefix/big"] == bytes);
}

TEST(S3Store, WhatCannotBeTakenOverIsSent) {
  S3World world;
  std::string bytes = varied(70 * kMiB);
  ASSERT_TRUE(world.put("big", bytes));
  const LikeObject like{"big", "of another", bytes.size(), {}, world.last.chunks};
  bytes += "more";
  world.files->put("/src/f", bytes);
  ContentHasher hasher;
  hasher.add(bytes);
  ASSERT_TRUE(world.put_like("big", hasher.finish(), like));
  EXPECT_TRUE(world.bucket.objects["some/prefix/big"] == bytes);
  EXPECT_TRUE(world.bucket.uploads.empty());
}

TEST(S3Store, AnUploadThatWasCutIsTakenUp) {
  S3World world;
  world.notes_are_kept = true;
  const std::string bytes = varied(200 * kMiB);
  world.bucket.fault = [&, left = 6](const HttpRequest& request) mutable -> std::optional<FakeBucket::Fault> {
    if (request.method == "PUT" && left-- <= 0) return FakeBucket::Fault{400, false, "Broken"};
    return std::nullopt;
  };
  EXPECT_FALSE(world.put("big", bytes));
  EXPECT_EQ(world.bucket.uploads.size(), 1U) << "it is kept";
  world.bucket.fault = nullptr;
  const std::size_t before = world.count("PUT");
  ASSERT_TRUE(world.put("big", bytes));
  EXPECT_EQ(world.count("PUT") - before, 13U - 6U);
  EXPECT_TRUE(world.bucket.objects["some/prefix/big"] == bytes);
  EXPECT_TRUE(world.bucket.uploads.empty());
}

TEST(S3Store, AFileThatWasAnotherWhileItWasSentIsSentOnceItIsBack) {
  S3World world;
  world.notes_are_kept = true;
  const std::string bytes = varied(100 * kMiB);
  ContentHasher hasher;
  hasher.add(bytes);
  const Digest128 content = hasher.finish();
  std::string other = bytes;
  other[70 * kMiB] = '!';
  world.files->put("/src/f", other);
  EXPECT_FALSE(world.put_like("big", content));
  EXPECT_TRUE(world.bucket.uploads.empty()) << "it has a part that is of no use";
  world.files->put("/src/f", bytes);
  ASSERT_TRUE(world.put_like("big", content));
  EXPECT_TRUE(world.bucket.objects["some/prefix/big"] == bytes);
}

TEST(S3Store, AnUploadThatIsNoMoreIsBegunAgain) {
  S3World world;
  world.notes_are_kept = true;
  const std::string bytes = varied(100 * kMiB);
  world.bucket.fault = [&, left = 3](const HttpRequest& request) mutable -> std::optional<FakeBucket::Fault> {
    if (request.method == "PUT" && left-- <= 0) return FakeBucket::Fault{400, false, "Broken"};
    return std::nullopt;
  };
  EXPECT_FALSE(world.put("big", bytes));
  world.bucket.fault = nullptr;
  world.bucket.uploads.clear();
  ASSERT_TRUE(world.put("big", bytes));
  EXPECT_TRUE(world.bucket.objects["some/prefix/big"] == bytes);
}

TEST(S3Store, PartsThatTheServiceDoesNotKnowAreSentAnew) {
  S3World world;
  world.notes_are_kept = true;
  const std::string bytes = varied(100 * kMiB);
  world.bucket.fault = [&, left = 3](const HttpRequest& request) mutable -> std::optional<FakeBucket::Fault> {
    if (request.method == "PUT" && left-- <= 0) return FakeBucket::Fault{400, false, "Broken"};
    return std::nullopt;
  };
  EXPECT_FALSE(world.put("big", bytes));
  world.bucket.fault = nullptr;
  for (std::string& note : world.notes) {
    std::vector<std::string> words = split(note, '\t');
    if (words[0] == "part") note = cat(words[0], "\t", words[1], "\tanother\t", words[3]);
  }
  EXPECT_TRUE(world.put("big", bytes));
  EXPECT_TRUE(world.bucket.objects["some/prefix/big"] == bytes);
  EXPECT_TRUE(world.bucket.uploads.empty());
  ASSERT_EQ(world.bucket.wrong.size(), 1U) << "it was told, once";
  world.bucket.wrong.clear();
}

TEST(S3Store, KeysThatXmlHasNoWordsForAreRemovedToo) {
  S3World world;
  const std::vector<std::string> keys = {"a\xef\xbf\xbf", "b\xef\xbf\xbe", "c\n", "d"};
  for (const std::string& key : keys) ASSERT_TRUE(world.put(key, "x"));
  EXPECT_TRUE(world.store->remove(keys, {}));
  EXPECT_TRUE(world.bucket.objects.empty());
  for (std::size_t i = 0; i + 1 < keys.size(); ++i) EXPECT_FALSE(can_be_in_xml(keys[i]));
}

TEST(S3Store, AnAnswerThatEchoesOurKeysIsNotShown) {
  S3World world;
  world.environment.variables["AWS_SESSION_TOKEN"] = "a-token-of-a-session";
  world.bucket.fault = [](const HttpRequest&) {
    return std::optional(FakeBucket::Fault{400, false, "Bad a-token-of-a-session SECRET"});
  };
  const Result<void> put = world.put("k", "x");
  ASSERT_FALSE(put);
  EXPECT_NE(put.error().message.find("Bad *** ***"), std::string::npos) << put.error().message;
}

TEST(S3Store, AnUploadOfAnotherContentIsNotTakenUp) {
  S3World world;
  world.notes_are_kept = true;
  std::string bytes = varied(100 * kMiB);
  world.bucket.fault = [&, left = 3](const HttpRequest& request) mutable -> std::optional<FakeBucket::Fault> {
    if (request.method == "PUT" && left-- <= 0) return FakeBucket::Fault{400, false, "Broken"};
    return std::nullopt;
  };
  EXPECT_FALSE(world.put("big", bytes));
  world.bucket.fault = nullptr;
  bytes[1] = '!';
  ASSERT_TRUE(world.put("big", bytes));
  EXPECT_TRUE(world.bucket.objects["some/prefix/big"] == bytes);
  EXPECT_TRUE(world.bucket.uploads.empty()) << "the other was ended";
}

TEST(S3Store, AnUploadWhoseLastAnswerWasLostIsThere) {
  S3World world;
  world.bucket.fault = [&, left = 1](const HttpRequest& request) mutable -> std::optional<FakeBucket::Fault> {
    if (request.method == "POST" && request.url.find("uploadId=") != std::string::npos && left-- > 0)
      return FakeBucket::Fault{0, true};
    return std::nullopt;
  };
  const std::string bytes = varied(70 * kMiB);
  ASSERT_TRUE(world.put("big", bytes));
  EXPECT_TRUE(world.bucket.objects["some/prefix/big"] == bytes);
}

TEST(S3Store, AConditionalPutWhoseAnswerWasLostIsDone) {
  S3World world;
  world.bucket.fault = [&, left = 1](const HttpRequest&) mutable -> std::optional<FakeBucket::Fault> {
    return left-- > 0 ? std::optional(FakeBucket::Fault{0, true}) : std::nullopt;
  };
  const auto put = world.store->put("k", "manifest", "");
  ASSERT_TRUE(put);
  EXPECT_TRUE(*put) << "who else would have put that";
}

TEST(S3Store, AServiceWithoutConditionsIsLookedAtFirst) {
  S3World world;
  world.bucket.fault = [](const HttpRequest& request) -> std::optional<FakeBucket::Fault> {
    const bool asks = std::any_of(request.headers.begin(), request.headers.end(),
                                  [](const auto& each) { return each.first.starts_with("If-"); });
    return asks ? std::optional(FakeBucket::Fault{501, false, "NotImplemented"}) : std::nullopt;
  };
  EXPECT_TRUE(world.store->takes_conditions());
  EXPECT_FALSE(world.store->put("k", "one", "").value()) << "whoever asks may note what arrives late";
  EXPECT_FALSE(world.store->takes_conditions());
  const auto first = world.store->put("k", "one", "");
  ASSERT_TRUE(first && *first);
  EXPECT_FALSE(world.store->put("k", "two", "").value());
  EXPECT_TRUE(world.store->put("k", "two", **first).value());
  EXPECT_EQ(world.bucket.objects["some/prefix/k"], "two");
}

TEST(S3Store, AServiceThatIgnoresConditionsIsRefusedUntilThatIsSaid) {
  S3World world;
  world.bucket.server = "somebody";
  ASSERT_TRUE(world.store->put("heeds", "one", "")) << "it does";
  world.bucket.heeds_conditions = false;
  const auto put = world.store->put("k", "one", "");
  ASSERT_FALSE(put);
  EXPECT_NE(put.error().hint.find("`conditional = false`"), std::string::npos);
  world.bucket.server = "MinIO";
  const std::size_t before = world.count("PUT");
  ASSERT_TRUE(world.store->put("known", "one", ""));
  EXPECT_EQ(world.count("PUT") - before, 1U) << "what is known is not tried";
}

TEST(S3Store, AServiceThatIsSaidToIgnoreConditionsIsLookedAtFirst) {
  S3World world("s3://data/some/prefix", false, {{"conditional", no()}});
  world.bucket.server = "somebody";
  world.bucket.heeds_conditions = false;
  const auto first = world.store->put("k", "one", "");
  ASSERT_TRUE(first && *first);
  EXPECT_FALSE(world.store->put("k", "two", "").value());
  EXPECT_EQ(world.count("PUT"), 1U);
}

TEST(S3Store, PartsAreOfWhatChanged) {
  S3Limits limits;
  const auto sizes = [&](std::uint64_t size, const std::vector<bool>& same) {
    std::string text;
    for (const UploadPart& part : plan_parts(size, same, limits))
      text += cat(part.copied ? "=" : "+", part.size / kMiB, " ");
    return text;
  };
  EXPECT_EQ(sizes(40 * kMiB, {}), "+16 +16 +8 ");
  EXPECT_EQ(sizes(65 * kMiB, {true, true, true, true, false}), "=64 +1 ");
  EXPECT_EQ(sizes(65 * kMiB, {true, false, false, true, true}), "=16 +16 +16 =17 ");
  limits.copied_part_bytes = 32 * kMiB;
  EXPECT_EQ(sizes(80 * kMiB, std::vector<bool>(5, true)), "=32 =32 =16 ");
  EXPECT_EQ(plan_parts(std::uint64_t{200} << 30U, {}, limits).size(), 6400U) << "of 32 MiB";
}

TEST(S3Store, WhatAnswersWithoutATagIsNoService) {
  S3World world;
  world.http.answer = [](const HttpRequest&) { return HttpResponse{200, {}, "<html>sign in</html>"}; };
  const Result<void> put = world.put("k", "x");
  ASSERT_FALSE(put);
  EXPECT_NE(put.error().hint.find("proxy"), std::string::npos);
  EXPECT_FALSE(world.store->put("k", "x", ""));
  EXPECT_FALSE(world.store->list("", [](const StoredObject&) {}));
}

TEST(S3Store, KeysThatAreNoUtf8AreRefused) {
  S3World world;
  EXPECT_FALSE(world.store->put("\xff", "x", {}));
  EXPECT_EQ(world.http.requests().size(), 0U);
}

TEST(S3Store, WhatIsInTheWayIsNamedWhereObjectsAreFiles) {
  S3World world;
  world.bucket.has_folders = true;
  ASSERT_TRUE(world.put("a/b", "a file"));
  const auto below = world.put("a/b/c/d", "below it");
  ASSERT_FALSE(below);
  EXPECT_NE(below.error().message.find("`a/b` in store `bucket` is in the way of `a/b/c/d`"),
            std::string::npos)
      << below.error().message;
  EXPECT_NE(below.error().hint.find("by hand"), std::string::npos) << below.error().hint;
  const auto above = world.put("a", "a file");
  ASSERT_FALSE(above);
  EXPECT_NE(above.error().message.find("`a/` in store `bucket` is in the way of `a`"), std::string::npos)
      << above.error().message;
}

TEST(S3Place, AddressesHaveTheBucketInThePathOrInTheHost) {
  Value yes;
  yes.data = true;
  const auto url = [](const std::vector<std::pair<std::string, Value>>& attributes) {
    const Result<S3Place> place = read_s3_place(service_of("s3://my-data/a/b/", attributes));
    return place ? place->url("c d/e+f") : place.error().message;
  };
  EXPECT_EQ(url({{"endpoint", value("http://h:9000/")}, {"path_style", yes}}),
            "http://h:9000/my-data/a/b/c%20d/e%2Bf");
  EXPECT_EQ(url({{"endpoint", value("https://s3.example.com")}}),
            "https://my-data.s3.example.com/a/b/c%20d/e%2Bf");
}

TEST(S3Place, WhatIsNoBucketIsTold) {
  for (const char* url : {"s3://", "s3://Upper/x", "s3://a", "s3://my-data/../x"})
    EXPECT_FALSE(read_s3_place(service_of(url))) << url;
  EXPECT_FALSE(read_s3_place(service_of("s3://my-data", {{"endpoint", value("host:9000")}})));
}

TEST(S3Answers, ADigestIsKnownByItsForm) {
  const std::string md5(32, 'a');
  for (const std::string& tag : {md5, std::string(32, 'F'), md5 + "-1", md5 + "-10000"})
    EXPECT_TRUE(is_s3_digest(tag)) << tag;
  for (const std::string& tag :
       {std::string(), std::string("65920080-800000"), std::string(31, 'a'), std::string(33, 'a'),
        std::string(32, 'g'), md5 + "-", md5 + "-x", md5 + "+1", md5 + "--1"})
    EXPECT_FALSE(is_s3_digest(tag)) << tag;
}

TEST(S3Answers, AnErrorIsReadAndWhatIsNoneIsNot) {
  EXPECT_EQ(parse_s3_error("<Error><Code>NoSuchKey</Code><Message>a &amp; b</Message></Error>").message,
            "a & b");
  EXPECT_EQ(parse_s3_error("<html>").code, "");
  EXPECT_EQ(parse_s3_error("").code, "");
  EXPECT_FALSE(parse_s3_list("<html/>"));
}

}  // namespace
}  // namespace trainmake
