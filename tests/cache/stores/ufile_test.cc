#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <set>

#include "cache/file_digests.h"
#include "cache/stores/ufile/ufile_answers.h"
#include "cache/stores/ufile/ufile_etag.h"
#include "cache/stores/ufile/ufile_place.h"
#include "cache/stores/ufile/ufile_store.h"
#include "engine/base/text.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/fake_ufile.h"
#include "tests/support/store_under_test.h"

namespace trainmake {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
using Fault = FakeUfile::Fault;

Value value(const std::string& text) {
  Value made;
  made.data = text;
  return made;
}

Value yes() {
  Value made;
  made.data = true;
  return made;
}

using Attributes = std::vector<std::pair<std::string, Value>>;

Service service_of(const std::string& url, Attributes attributes = {}) {
  attributes.emplace_back("url", value(url));
  std::sort(attributes.begin(), attributes.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return {"store", "bucket", {{}, {attributes.begin(), attributes.end()}}, {"TRAINSPACE.lua", 1}};
}

// Other bytes in every page.
std::string varied(std::uint64_t size) {
  std::string bytes(size, 'x');
  for (std::size_t i = 0; i < bytes.size(); i += 4096) bytes[i] = static_cast<char>(i >> 12U);
  return bytes;
}

Digest128 content_of(std::string_view bytes) {
  ContentHasher hasher;
  hasher.add(bytes);
  return hasher.finish();
}

struct UfileWorld {
  std::shared_ptr<MemFileSystem> files = std::make_shared<MemFileSystem>();
  FakeProcesses processes;
  FakeHttp http;
  FakeClock clock;
  Environment environment{{{"UCLOUD_PUBLIC_KEY", "PUBLIC"}, {"UCLOUD_PRIVATE_KEY", "PRIVATE"}}};
  Host host{*files, processes, http, clock, environment};
  Workspace workspace{"/w", "/w/.trainmake", ""};
  Tally tally;
  FakeUfile bucket{"data", "us3.test", {"PUBLIC", "PRIVATE"}};
  std::unique_ptr<Store> store;
  PutFile last;
  bool notes_are_kept = false;
  std::vector<std::string> notes;
  MayWrite may_write;
  std::mutex mutex;  // guards notes
  std::mutex bucket_mutex;

  explicit UfileWorld(Attributes attributes = {}) {
    http.answer = [this](const HttpRequest& request) {
      const std::lock_guard lock(bucket_mutex);
      return bucket.answer(request);
    };
    attributes.emplace_back("endpoint", value("http://us3.test"));
    auto made = make_ufile_store(host, workspace, service_of("ufile://data/some/prefix", attributes), tally);
    EXPECT_TRUE(made);
    store = *std::move(made);
  }
  ~UfileWorld() { EXPECT_TRUE(bucket.wrong.empty()) << bucket.wrong.front(); }

  Result<void> put(const std::string& key, const std::string& bytes,
                   std::optional<LikeObject> like = std::nullopt) {
    files->put("/src/f", bytes);
    FileToPut file{key, "/src/f", content_of(bytes), std::move(like)};
    file.notes = notes;
    file.may_write = may_write;
    if (notes_are_kept)
      file.note = [this](const std::string& note) {
        const std::lock_guard lock(mutex);
        notes.push_back(note);
      };
    TRY_ASSIGN(last, store->put_file(file, {}));
    return {};
  }
  // Of a request that the bucket gets from now on, all but the first `count` of `method` fail for good.
  void break_after(int count, const std::string& method = "PUT") {
    bucket.fault = [left = count, method](const HttpRequest& request) mutable -> std::optional<Fault> {
      return request.method == method && left-- <= 0 ? std::optional(Fault{400}) : std::nullopt;
    };
  }
  // The first request of `method` is done, and its answer is lost.
  void lose_an_answer(const std::string& method, const std::string& part_of_url) {
    bucket.fault = [=, left = 1](const HttpRequest& request) mutable -> std::optional<Fault> {
      const bool meant = request.method == method && request.url.find(part_of_url) != std::string::npos;
      return meant && left-- > 0 ? std::optional(Fault{0, true}) : std::nullopt;
    };
  }
  // What is put by `method` is another there, and called so.
  void damage(const std::string& method) {
    http.answer = [this, method](const HttpRequest& request) {
      const std::lock_guard lock(bucket_mutex);
      Result<HttpResponse> response = bucket.answer(request);
      if (request.method != method || bucket.objects.empty()) return response;
      bucket.objects.begin()->second = "other";
      for (auto& [name, text] : response->headers) {
        if (name == "etag") text = ufile_etag_of("other");
      }
      return response;
    };
  }
  // The first `count` PUT are never done, and answered as if they were, with that ETag.
  void lie(const std::string& etag, int count) {
    http.answer = [this, etag, left = count](const HttpRequest& request) mutable -> Result<HttpResponse> {
      const std::lock_guard lock(bucket_mutex);
      if (request.method != "PUT" || left-- <= 0) return bucket.answer(request);
      HttpResponse lie{200, {}, "ok"};
      if (!etag.empty()) lie.headers.emplace_back("etag", etag);
      return lie;
    };
  }
  std::string& object(const std::string& key) { return bucket.objects["some/prefix/" + key]; }
  std::size_t count(std::string_view method) const {
    const std::vector<HttpRequest> requests = http.requests();
    return static_cast<std::size_t>(std::count_if(
        requests.begin(), requests.end(), [&](const HttpRequest& each) { return each.method == method; }));
  }
};

}  // namespace

StoreUnderTest ufile_under_test() {
  auto world = std::make_shared<UfileWorld>();
  return {world->files, {world->store.get(), [world](Store*) {}}, false, &world->http};
}

namespace {

TEST(UfileEtag, IsThatOfTheService) {
  const auto zeros = [](std::uint64_t size) { return ufile_etag_of(std::string(size, '\0')); };
  EXPECT_EQ(ufile_etag_of("a"), "AQAAAIb35Df6paf84V0d3Lnq6uo3dme4");
  EXPECT_EQ(ufile_etag_of("hello world"), "AQAAACqubDXJT8-0FdvpX0CLnOke6Ebt");
  EXPECT_EQ(zeros(4 * kMiB), "AQAAACvMvS848VwT631aif2dhfWV4jvD");
  EXPECT_EQ(zeros(4 * kMiB + 1), "AgAAABCFgki5yzon0rjN9uJusf6qtsF6");
  EXPECT_EQ(zeros(8 * kMiB), "AgAAAMCVE24-Immdd6zm-ffVVhsWYcDG");
  EXPECT_EQ(zeros(10 * kMiB), "AwAAALgta7Rm8vkyiaBmECBeS8jIYEuw");
  EXPECT_TRUE(is_ufile_etag("AAAAANo5o-5ea0sNMlW_75VgGJCv2AcJ", ufile_etag_of(""), 0)) << "known by its size";
}

TEST(UfileEtag, IsTheSameHoweverBytesCome) {
  const std::string bytes = varied(9 * kMiB + 7);
  UfileDigests digests;
  for (std::size_t i = 0; i < bytes.size(); i += 100'003)
    digests.add(std::string_view(bytes).substr(i, 100'003));
  digests.finish();
  EXPECT_EQ(ufile_etag(digests.blocks), ufile_etag_of(bytes));
  EXPECT_EQ(digests.md5, md5(bytes));
}

TEST(UfileEtag, PartsAreCalledInTwoWays) {
  EXPECT_EQ(sha1_of_ufile_part("SmbCbzsQA0lAOktMSbGyNHv5HQ0="),
            sha1_of_ufile_part("AQAAAEpmwm87EANJQDpLTEmxsjR7-R0N"));
  EXPECT_FALSE(sha1_of_ufile_part(""));
  EXPECT_FALSE(sha1_of_ufile_part("AgAAABCFgki5yzon0rjN9uJusf6qtsF6")) << "of two blocks";
  EXPECT_FALSE(sha1_of_ufile_part("9e107d9d372bb6826bd81d3542a419d6"));
}

TEST(UfileStore, KeysLieBelowItsPrefix) {
  UfileWorld world;
  ASSERT_TRUE(world.put("a b/ü.txt", "x"));
  EXPECT_EQ(world.bucket.objects.begin()->first, "some/prefix/a b/ü.txt");
  EXPECT_EQ(world.last.tag, ufile_etag_of("x"));
}

TEST(UfileStore, AFileOfSeveralPartsTravelsWhole) {
  UfileWorld world;
  const std::string bytes = varied(70 * kMiB + 5);
  ASSERT_TRUE(world.put("big", bytes));
  EXPECT_TRUE(world.object("big") == bytes);
  EXPECT_TRUE(world.bucket.uploads.empty());
  EXPECT_EQ(world.count("PUT"), 18U);
  EXPECT_EQ(world.last.sent, bytes.size());
  EXPECT_EQ(world.last.tag, ufile_etag_of(bytes));
  EXPECT_EQ(world.store->look("big").value()->content, content_of(bytes));
}

TEST(UfileStore, PartsAreAsLargeAsTheServiceSays) {
  UfileWorld world;
  world.bucket.part_bytes = 9 * kMiB;
  const std::string bytes = varied(70 * kMiB);
  ASSERT_TRUE(world.put("big", bytes));
  EXPECT_TRUE(world.object("big") == bytes);
  EXPECT_EQ(world.count("PUT"), 8U);
}

TEST(UfileStore, AFileThatChangedIsNotSent) {
  for (const std::uint64_t size : {std::uint64_t{1}, 70 * kMiB}) {
    UfileWorld world;
    world.files->put("/src/f", std::string(size, 'x'));
    EXPECT_FALSE(world.store->put_file({"k", "/src/f", digest_of("before")}, {}));
    EXPECT_TRUE(world.http.requests().empty());
  }
}

TEST(UfileStore, ListsMoreThanOneAnswerHolds) {
  UfileWorld world;
  world.bucket.page = 7;
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(world.store->put(cat("k&<", i), "x", {}));
  world.bucket.objects["some/prefixed"] = "of a neighbour";
  std::multiset<std::string> seen;
  ASSERT_TRUE(world.store->list("", [&](const StoredObject& object) { seen.insert(object.key); }));
  EXPECT_EQ(seen.size(), 30U);
  EXPECT_EQ(seen.count("k&<7"), 1U);
}

TEST(UfileStore, AListOfMoreThanWasAskedForIsTakenAsFarAsItWas) {
  UfileWorld world;
  for (const char* key : {"a/1", "b"}) ASSERT_TRUE(world.store->put(key, "x", {}));
  world.bucket.objects["some/prefixed"] = world.bucket.objects["a"] = "of a neighbour";
  world.bucket.heeds_prefix = false;
  std::multiset<std::string> seen;
  ASSERT_TRUE(world.store->list("a/", [&](const StoredObject& object) { seen.insert(object.key); }));
  EXPECT_EQ(seen, (std::multiset<std::string>{"a/1"}));
}

TEST(UfileStore, BytesAreHeldAgainstTheirEtag) {
  for (const std::size_t size : {std::size_t{5}, std::size_t{9} << 20U}) {
    UfileWorld world;
    const std::string bytes(size, 'x');
    const auto tag = world.store->put("k", bytes, {});
    ASSERT_TRUE(tag && *tag);
    const auto read = [&](std::string_view other_tag) {
      return world.store->read({"k", std::string(other_tag)}, [](auto) { return Result<void>(); }, {})
          .value();
    };
    EXPECT_EQ(read(**tag), ReadEnd::kWhole);
    EXPECT_EQ(read("another"), ReadEnd::kGone);
    const auto inner = world.http.answer;
    world.http.answer = [&](const HttpRequest& request) {
      Result<HttpResponse> response = inner(request);
      if (response && !response->body.empty()) response->body[size / 2] = 'y';
      return response;
    };
    EXPECT_EQ(read(**tag), ReadEnd::kDamaged);
  }
}

TEST(UfileEtag, OfAnotherDoorTellsNothing) {
  const std::string etag = ufile_etag_of("hello");
  EXPECT_TRUE(tells_of_bytes(etag, 5));
  EXPECT_FALSE(tells_of_bytes(etag, std::uint64_t{5} << 20U)) << "of two blocks";
  EXPECT_FALSE(tells_of_bytes("5d41402abc4b2a76b9719d911017c592", 5));
  EXPECT_FALSE(tells_of_bytes("", 0));
}

TEST(UfileStore, TroubleThatPassesIsWaitedFor) {
  for (const Fault& fault : {Fault{500}, Fault{503}, Fault{429}, Fault{408}, Fault{0}, Fault{0, true}}) {
    UfileWorld world;
    world.bucket.fault = [&, left = 3](const HttpRequest&) mutable -> std::optional<Fault> {
      return left-- > 0 ? std::optional(fault) : std::nullopt;
    };
    EXPECT_TRUE(world.put("k", "x")) << fault.status;
    EXPECT_EQ(world.object("k"), "x");
    EXPECT_EQ(world.tally.requests[static_cast<std::size_t>(Method::kPut)], 4U);
  }
}

TEST(UfileStore, TroubleThatStaysIsToldInTheEnd) {
  UfileWorld world;
  world.bucket.fault = [](const HttpRequest&) { return std::optional(Fault{500}); };
  const Result<void> put = world.put("k", "x");
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().blame, Blame::kRemote);
  EXPECT_NE(put.error().message.find("answers 500, -1: internal error (session e2f4fc84)"), std::string::npos)
      << put.error().message;
}

TEST(UfileStore, WrongKeysAreToldAndNotShown) {
  UfileWorld world;
  world.environment.variables["UCLOUD_PRIVATE_KEY"] = "WRONG-SECRET";
  const Result<void> put = world.put("k", "x");
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().blame, Blame::kRemote);
  EXPECT_NE(put.error().message.find("403, -148658: invalid signature"), std::string::npos)
      << put.error().message;
  EXPECT_NE(put.error().hint.find("UCLOUD_PRIVATE_KEY"), std::string::npos);
  EXPECT_EQ(cat(put.error().message, put.error().hint).find("WRONG-SECRET"), std::string::npos);
  EXPECT_EQ(world.http.requests().size(), 1U) << "asking again would not help";
}

TEST(UfileStore, ARefusalWithoutAWordMayBeOfWrongKeys) {
  UfileWorld world;
  world.bucket.fault = [](const HttpRequest& request) {
    return request.method == "HEAD" ? std::optional(Fault{403, false, 0, ""}) : std::nullopt;
  };
  const auto there = world.store->look("k");
  ASSERT_FALSE(there);
  EXPECT_NE(there.error().hint.find("UCLOUD_PRIVATE_KEY"), std::string::npos) << there.error().hint;
  EXPECT_NE(there.error().hint.find("whoever owns the bucket"), std::string::npos);
}

TEST(UfileStore, WithoutKeysNothingIsAsked) {
  UfileWorld world;
  world.environment.variables.clear();
  const Result<void> put = world.put("k", "x");
  ASSERT_FALSE(put);
  EXPECT_NE(put.error().hint.find("UCLOUD_PUBLIC_KEY"), std::string::npos);
  EXPECT_TRUE(world.http.requests().empty());
}

TEST(UfileStore, OtherBytesThanWereSentAreRemoved) {
  UfileWorld world;
  world.damage("PUT");
  for (const auto& put : {world.put("k", "x"), world.put("k", varied(kMiB))}) {
    ASSERT_FALSE(put);
    EXPECT_NE(put.error().message.find("has other bytes under `k`"), std::string::npos);
    EXPECT_TRUE(world.bucket.objects.empty());
  }
  EXPECT_FALSE(world.store->put("k", "x", {}));
  EXPECT_TRUE(world.bucket.objects.empty());
}

TEST(UfileStore, WhatLiesThereIsBelievedSoonerThanAnAnswer) {
  UfileWorld world;
  world.bucket.say_etag = [](const HttpRequest&, const std::string&) { return ufile_etag_of("other"); };
  EXPECT_TRUE(world.put("k", "x"));
  EXPECT_EQ(world.object("k"), "x");
}

TEST(UfileStore, WhatIsNotWhatWasPutIsLeftAsItIs) {
  UfileWorld world;
  ASSERT_TRUE(world.store->put("k", "theirs", {}));
  world.lie(ufile_etag_of("other"), 1);
  EXPECT_FALSE(world.put("k", "x"));
  EXPECT_EQ(world.object("k"), "theirs");
  EXPECT_EQ(world.count("DELETE"), 0U);
}

TEST(UfileStore, AnAnswerThatProvesNothingIsAskedForAgain) {
  UfileWorld world;
  const std::string before = world.store->put("k", "before", {}).value().value();
  world.lie("", 1);
  EXPECT_TRUE(world.store->put("k", "after", before).value());
  EXPECT_EQ(world.object("k"), "after");
  std::vector<bool> repeated;
  world.may_write = [&](bool is_repeated) {
    repeated.push_back(is_repeated);
    return Result<void>();
  };
  world.lie("", 1);
  EXPECT_TRUE(world.put("k", "file"));
  EXPECT_EQ(world.object("k"), "file");
  EXPECT_EQ(repeated, (std::vector<bool>{false, true})) << "it may have been done";
  world.lie("", 100);
  const Result<void> never = world.put("k", "more");
  ASSERT_FALSE(never);
  EXPECT_NE(never.error().message.find("without the ETag of what it got"), std::string::npos)
      << never.error().message;
  EXPECT_EQ(world.object("k"), "file");
  EXPECT_EQ(world.count("DELETE"), 0U);
}

TEST(UfileStore, OtherBytesThanWereSentInPartsAreNotKept) {
  UfileWorld world;
  world.bucket.say_etag = [](const HttpRequest& request, std::string etag) {
    return request.url.find("partNumber=3") == std::string::npos ? etag : "SmbCbzsQA0lAOktMSbGyNHv5HQ0=";
  };
  const Result<void> parts = world.put("big", varied(70 * kMiB));
  ASSERT_FALSE(parts);
  EXPECT_NE(parts.error().message.find("part 3"), std::string::npos) << parts.error().message;
  EXPECT_TRUE(world.bucket.uploads.empty()) << "it was ended";
  world.bucket.say_etag = nullptr;
  world.damage("POST");
  EXPECT_FALSE(world.put("big", varied(70 * kMiB)));
  EXPECT_TRUE(world.bucket.objects.empty());
}

TEST(UfileStore, ABucketIsMadeWhenThatIsAskedFor) {
  UfileWorld refuses;
  refuses.bucket.exists = false;
  const Result<void> put = refuses.put("k", "x");
  ASSERT_FALSE(put);
  EXPECT_NE(put.error().hint.find("`create = true`"), std::string::npos);
  const auto nobody = [](const StoredObject&) { FAIL(); };
  EXPECT_FALSE(refuses.store->list("", nobody));
  EXPECT_FALSE(refuses.store->get("k")) << "a missing bucket is no missing object";

  UfileWorld makes({{"create", yes()}, {"region", value("cn-bj")}});
  makes.environment.variables["UCLOUD_PROJECT_ID"] = "org-1";
  makes.bucket.exists = false;
  EXPECT_FALSE(makes.store->get("k").value());
  EXPECT_TRUE(makes.store->list("", nobody));
  ASSERT_TRUE(makes.put("k", "x"));
  EXPECT_EQ(makes.bucket.objects.size(), 1U);
  EXPECT_EQ(makes.bucket.made_with["Type"], "private");
  EXPECT_EQ(makes.bucket.made_with["Region"], "cn-bj");
  EXPECT_EQ(makes.bucket.made_with["ProjectId"], "org-1");
}

TEST(UfileStore, ABucketIsMadeForALargeFileToo) {
  UfileWorld makes({{"create", yes()}, {"region", value("cn-bj")}});
  makes.bucket.exists = false;
  makes.lose_an_answer("POST", "api.ucloud.cn");
  ASSERT_TRUE(makes.put("k", varied(65 * kMiB)));
  EXPECT_EQ(makes.bucket.objects.size(), 1U);
}

TEST(UfileStore, ABucketThatAnotherMadeMeanwhileIsGoneOnIn) {
  UfileWorld makes({{"create", yes()}, {"region", value("cn-bj")}});
  makes.bucket.exists = false;
  makes.bucket.is_made_meanwhile = true;
  ASSERT_TRUE(makes.put("k", "x"));
  EXPECT_EQ(makes.bucket.objects.size(), 1U);
}

TEST(UfileStore, ANameThatIsTakenIsTold) {
  UfileWorld makes({{"create", yes()}, {"region", value("cn-bj")}});
  makes.bucket.exists = false;
  makes.bucket.is_taken = true;
  const Result<void> put = makes.put("k", "x");
  ASSERT_FALSE(put);
  EXPECT_NE(put.error().message.find("Cannot make bucket `data`"), std::string::npos);
  EXPECT_NE(put.error().hint.find("another name"), std::string::npos);
}

TEST(UfileStore, WhatIsThereUnderAnotherKeyIsCopied) {
  UfileWorld world;
  const std::string bytes = varied(kMiB);
  ASSERT_TRUE(world.put("a b", bytes));
  ASSERT_TRUE(world.put("c", bytes, LikeObject{"a b", world.last.tag, kMiB, content_of(bytes), {}}));
  EXPECT_TRUE(world.last.copied);
  EXPECT_EQ(world.last.sent, 0U);
  EXPECT_TRUE(world.object("c") == bytes);
  EXPECT_EQ(world.store->look("c").value()->content, content_of(bytes));
}

TEST(UfileStore, WhatOthersPutIsNotSentAgain) {
  UfileWorld world;
  const std::string bytes = varied(9 * kMiB);
  for (const std::string& content : {bytes, std::string()}) {
    world.object("theirs") = content;
    const std::optional<StoredObject> there = world.store->look("theirs").value();
    ASSERT_TRUE(there);
    EXPECT_FALSE(there->content);
    world.files->put("/src/f", content);
    FileToPut file{"theirs", "/src/f", content_of(content)};
    file.there = there;
    const PutFile found = world.store->put_file(file, {}).value();
    EXPECT_TRUE(found.found);
    EXPECT_EQ(found.tag, there->tag);
    EXPECT_EQ(found.sent, 0U);
  }
  EXPECT_EQ(world.count("PUT"), 0U);
}

TEST(UfileStore, NoCopyGoesOverWhatOthersPut) {
  UfileWorld world;
  const std::string bytes = varied(kMiB);
  world.files->put("/src/f", bytes);
  const PutFile ours = world.store->put_file({"ours", "/src/f", content_of(bytes)}, {}).value();
  for (const bool is_same : {true, false}) {
    world.object("theirs") = bytes;
    if (!is_same) world.object("theirs")[7] ^= 1;
    FileToPut file{"theirs", "/src/f", content_of(bytes)};
    file.like = LikeObject{"ours", ours.tag, bytes.size(), content_of(bytes), {}};
    file.there = world.store->look("theirs").value();
    const PutFile done = world.store->put_file(file, {}).value();
    EXPECT_EQ(done.found, is_same);
    EXPECT_EQ(done.copied, !is_same);
    EXPECT_EQ(world.object("theirs"), bytes);
  }
}

TEST(UfileStore, WhatOthersPutIsReplacedWhereItIsAnother) {
  UfileWorld world;
  world.object("theirs") = "abc";
  world.files->put("/src/f", "abd");
  FileToPut file{"theirs", "/src/f", content_of("abd")};
  file.there = world.store->look("theirs").value();
  EXPECT_FALSE(world.store->put_file(file, {}).value().found);
  EXPECT_EQ(world.object("theirs"), "abd");
}

TEST(UfileStore, WhatIsAnotherByNowIsSentInPlaceOfCopied) {
  UfileWorld world;
  const std::string bytes = varied(kMiB);
  ASSERT_TRUE(world.store->put("a", "other", {}));
  ASSERT_TRUE(world.put("c", bytes, LikeObject{"a", ufile_etag_of(bytes), kMiB, content_of(bytes), {}}));
  EXPECT_FALSE(world.last.copied);
  EXPECT_TRUE(world.object("c") == bytes);
}

TEST(UfileStore, WhatWasAppendedTravelsAlone) {
  UfileWorld world;
  std::string bytes = varied(70 * kMiB);
  ASSERT_TRUE(world.put("big", bytes));
  ASSERT_EQ(world.last.chunks.size(), 5U);
  const LikeObject like{"big", world.last.tag, bytes.size(), {}, world.last.chunks};
  bytes += std::string(kMiB, 'z');
  bytes[20 * kMiB] = '!';
  ASSERT_TRUE(world.put("big", bytes, like));
  EXPECT_EQ(world.last.sent, 16 * kMiB + 7 * kMiB);
  EXPECT_EQ(world.bucket.copied_parts, 12U);
  EXPECT_TRUE(world.object("big") == bytes);
}

TEST(UfileStore, PartsThatWereCopiedWronglyAreSent) {
  UfileWorld world;
  std::string bytes = varied(70 * kMiB);
  ASSERT_TRUE(world.put("big", bytes));
  const LikeObject like{"big", world.last.tag, bytes.size(), {}, world.last.chunks};
  world.object("big")[5] = '!';
  bytes += "more";
  ASSERT_TRUE(world.put("big", bytes, like));
  EXPECT_EQ(world.bucket.copied_parts, 16U);
  EXPECT_TRUE(world.object("big") == bytes);
}

TEST(UfileStore, AnUploadThatWasCutIsTakenUp) {
  UfileWorld world;
  world.notes_are_kept = true;
  const std::string bytes = varied(100 * kMiB);
  world.break_after(6);
  EXPECT_FALSE(world.put("big", bytes));
  EXPECT_EQ(world.bucket.uploads.size(), 1U) << "it is kept";
  world.bucket.fault = nullptr;
  const std::size_t before = world.count("PUT");
  ASSERT_TRUE(world.put("big", bytes));
  EXPECT_EQ(world.count("PUT") - before, 25U - 6U);
  EXPECT_TRUE(world.object("big") == bytes);
  EXPECT_TRUE(world.bucket.uploads.empty());
}

TEST(UfileStore, AnUploadThatIsNoMoreIsBegunAgain) {
  UfileWorld world;
  world.notes_are_kept = true;
  const std::string bytes = varied(70 * kMiB);
  world.break_after(3);
  EXPECT_FALSE(world.put("big", bytes));
  world.bucket.fault = nullptr;
  world.bucket.uploads.clear();
  ASSERT_TRUE(world.put("big", bytes));
  EXPECT_TRUE(world.object("big") == bytes);
}

TEST(UfileStore, AnUploadOfAnotherContentIsNotTakenUp) {
  UfileWorld world;
  world.notes_are_kept = true;
  std::string bytes = varied(70 * kMiB);
  world.break_after(3);
  EXPECT_FALSE(world.put("big", bytes));
  world.bucket.fault = nullptr;
  bytes[1] = '!';
  ASSERT_TRUE(world.put("big", bytes));
  EXPECT_TRUE(world.object("big") == bytes);
  EXPECT_TRUE(world.bucket.uploads.empty()) << "the other was ended";
}

TEST(UfileStore, WhatArrivedBeforeItWasCutIsNotSentAgain) {
  UfileWorld world;
  world.notes_are_kept = true;
  const std::string bytes = varied(70 * kMiB);
  ASSERT_TRUE(world.put("big", bytes));
  const std::size_t before = world.count("PUT");
  ASSERT_TRUE(world.put("big", bytes));
  EXPECT_EQ(world.count("PUT"), before);
  EXPECT_EQ(world.last.sent, 0U);
  EXPECT_EQ(world.last.tag, ufile_etag_of(bytes));
}

TEST(UfileStore, AnUploadWhoseLastAnswerWasLostIsThere) {
  UfileWorld world;
  world.lose_an_answer("POST", "uploadId=");
  const std::string bytes = varied(70 * kMiB);
  ASSERT_TRUE(world.put("big", bytes));
  EXPECT_TRUE(world.object("big") == bytes);
  EXPECT_EQ(world.last.tag, ufile_etag_of(bytes));
}

TEST(UfileStore, AConditionalPutWhoseAnswerWasLostIsDone) {
  UfileWorld world;
  world.lose_an_answer("PUT", "");
  const auto put = world.store->put("k", "manifest", "");
  ASSERT_TRUE(put);
  EXPECT_TRUE(*put) << "who else would have put that";
}

TEST(UfileStore, WhatChangesSomethingIsRepeatedByUsAloneAndOnAConnectionOfItsOwn) {
  UfileWorld world;
  world.lose_an_answer("PUT", "/k");
  ASSERT_TRUE(world.put("k", "x"));
  ASSERT_TRUE(world.store->look("k"));
  std::vector<bool> resent, twice;
  for (const HttpRequest& request : world.http.requests()) {
    resent.push_back(!request.never_resent);
    twice.push_back(request.never_twice);
  }
  EXPECT_EQ(resent, (std::vector<bool>{false, false, true}));
  EXPECT_EQ(twice, (std::vector<bool>{false, true, false}));
}

TEST(UfileStore, KeysThatCannotBeAreRefused) {
  UfileWorld world;
  EXPECT_FALSE(world.store->put("\xff", "x", {}));
  EXPECT_FALSE(world.store->put(std::string(1020, 'k'), "x", {})) << "too long with the prefix";
  EXPECT_EQ(world.http.requests().size(), 0U);
}

TEST(UfilePlace, AddressesHaveTheBucketInTheHost) {
  const auto place = [](const Attributes& attributes) {
    const Result<UfilePlace> read = read_ufile_place(service_of("ufile://my-data/a/b/", attributes));
    return read ? cat(read->url("c d/e+f"), " ", read->host()) : read.error().message;
  };
  EXPECT_EQ(place({{"region", value("cn-bj")}}), "https://my-data.cn-bj.ufileos.com/a/b/c%20d/e%2Bf ");
  EXPECT_EQ(place({{"endpoint", value("http://ufile.cn-north-02.ucloud.cn/")}}),
            "http://my-data.ufile.cn-north-02.ucloud.cn/a/b/c%20d/e%2Bf ");
  EXPECT_EQ(place({{"endpoint", value("http://127.0.0.1:9000")}}),
            "http://127.0.0.1:9000/a/b/c%20d/e%2Bf my-data.127.0.0.1:9000");
  EXPECT_EQ(place({}), "Store `bucket` does not say its `region`");
}

TEST(UfilePlace, WhatIsNoBucketIsTold) {
  for (const char* url :
       {"ufile://", "ufile://Upper/x", "ufile://a", "ufile://-ab", "ufile://a.b.c", "ufile://my-data/../x"})
    EXPECT_FALSE(read_ufile_place(service_of(url, {{"region", value("cn-bj")}}))) << url;
  EXPECT_FALSE(read_ufile_place(service_of("ufile://my-data", {{"endpoint", value("host:9000")}})));
  EXPECT_FALSE(read_ufile_place(service_of("ufile://my-data", {{"endpoint", value("http://h/path")}})));
  EXPECT_FALSE(read_ufile_place(service_of("ufile://my-data", {{"region", value("evil.com/")}})));
}

TEST(UfileAnswers, WhatIsNoneIsTold) {
  EXPECT_EQ(parse_ufile_error(R"({"RetCode":-30010,"ErrMsg":"bucket not exist"})").code, -30010);
  EXPECT_EQ(parse_ufile_error("<html>").code, 0);
  EXPECT_EQ(parse_ufile_error("[]").message, "");
  EXPECT_FALSE(parse_ufile_list("<html/>"));
  EXPECT_FALSE(parse_ufile_list("{}"));
  EXPECT_FALSE(parse_ufile_list(R"({"IsTruncated":false,"Contents":[{"Key":"a"}]})"));
  EXPECT_FALSE(parse_ufile_begun(R"({"UploadId":"u","BlkSize":0})"));
  EXPECT_FALSE(parse_ufile_begun(R"({"UploadId":"u","BlkSize":4194304000})"));
}

}  // namespace
}  // namespace trainmake
