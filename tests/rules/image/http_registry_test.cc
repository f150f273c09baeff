#include "rules/image/registries/http/http_registry.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/base/encoding.h"
#include "rules/image/blob_source.h"
#include "rules/image/manifest_json.h"
#include "rules/image/reference.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/fake_registry.h"
#include "tests/support/mem_fs.h"

namespace trainmake {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

struct HttpWorld {
  MemFileSystem files;
  FakeProcesses processes;
  FakeHttp http;
  FakeClock clock;
  Environment environment;
  Host host{files, processes, http, clock, environment};
  Tally tally;
  FakeRegistry fake{"https://r.example.com"};
  std::unique_ptr<Registry> registry = make_remote_registry(host, {"r.example.com"}, tally);

  HttpWorld() {
    http.answer = [this](const HttpRequest& request) { return fake.answer(request); };
  }
  ~HttpWorld() { EXPECT_TRUE(fake.wrong.empty()) << fake.wrong.front(); }

  static BlobRef layer_of(const std::string& bytes) {
    return {"application/vnd.oci.image.layer.v1.tar+gzip", sha256_of(bytes), bytes.size()};
  }
  Result<void> put(const std::string& bytes) {
    files.put("/blob", bytes);
    FileBlob blob(files, layer_of(bytes), "/blob");
    return registry->put("a", blob, {});
  }
  Result<std::string> read(const BlobRef& blob) {
    std::string bytes;
    TRY(registry->read("a", blob,
                       [&](std::string_view piece) {
                         bytes += piece;
                         return Result<void>();
                       },
                       {}));
    return bytes;
  }
  bool has(const std::string& bytes) { return fake.blobs["a"].contains(digest_text(sha256_of(bytes))); }
  void put_document(const std::string& tag, const std::string& bytes) {
    const std::string digest = digest_text(sha256_of(bytes));
    fake.manifests["a"][digest] = bytes;
    fake.tags["a"][tag] = digest;
  }
  // Lets the requests of that method fail, so often.
  void fail_first(const std::string& method, int times, const FakeRegistry::Fault& fault) {
    fake.fault = [=, left = times](const HttpRequest& request) mutable -> std::optional<FakeRegistry::Fault> {
      if (request.method != method || left == 0) return std::nullopt;
      --left;
      return fault;
    };
  }
  std::size_t sent_bytes() const {
    std::size_t sum = 0;
    for (const HttpRequest& request : http.requests()) sum += request.body.size();
    return sum;
  }
  std::size_t count(std::string_view method) const {
    const std::vector<HttpRequest> requests = http.requests();
    return static_cast<std::size_t>(std::count_if(
        requests.begin(), requests.end(), [&](const HttpRequest& each) { return each.method == method; }));
  }
};

TEST(HttpRegistry, ASmallBlobTravelsInTwoRequests) {
  HttpWorld world;
  ASSERT_TRUE(world.put("hello"));
  EXPECT_EQ(world.http.requests().size(), 2U);
}

TEST(HttpRegistry, AnUploadGoesOnWhereItWasCut) {
  HttpWorld world;
  const std::string bytes(80 * kMiB, 'x');
  world.fail_first("PATCH", 2, {0, 0.5});
  ASSERT_TRUE(world.put(bytes));
  EXPECT_TRUE(world.has(bytes));
  EXPECT_EQ(world.count("POST"), 1U);
  EXPECT_LE(world.sent_bytes(), 80 * kMiB + 2 * 16 * kMiB);
}

TEST(HttpRegistry, AnUploadThatTheRegistryForgotBeginsAgain) {
  HttpWorld world;
  const std::string bytes(40 * kMiB, 'x');
  world.fail_first("PATCH", 1, {404});
  world.fake.quirks.tells_upload_state = false;
  ASSERT_TRUE(world.put(bytes));
  EXPECT_EQ(world.count("POST"), 2U);
}

TEST(HttpRegistry, AnAnswerThatWasLostIsAskedAfter) {
  HttpWorld world;
  world.http.answer = [&, lost = false](const HttpRequest& request) mutable -> Result<HttpResponse> {
    Result<HttpResponse> response = world.fake.answer(request);
    if (request.method != "PUT" || lost) return response;
    lost = true;
    return fail(user_error("Cannot reach it: cut").because(Blame::kRemote));
  };
  ASSERT_TRUE(world.put("hello"));
  EXPECT_EQ(world.count("POST"), 1U);
}

TEST(HttpRegistry, ARegistryThatIsBusyIsLeftAloneAsLongAsItSays) {
  HttpWorld world;
  world.fail_first("PATCH", 1, {429, 0, {{"retry-after", "17"}}});
  const std::int64_t before = world.clock.now_ns();
  ASSERT_TRUE(world.put(std::string(40 * kMiB, 'x')));
  EXPECT_GE(world.clock.now_ns() - before, 17'000'000'000);
}

TEST(HttpRegistry, AnUploadThatNeverGetsOnIsGivenUpWithTheLastAnswer) {
  HttpWorld world;
  world.fail_first("PATCH", 1000, {500});
  const auto put = world.put(std::string(40 * kMiB, 'x'));
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().blame, Blame::kRemote);
  EXPECT_NE(put.error().message.find("at last it answered 500"), std::string::npos) << put.error().message;
}

TEST(HttpRegistry, WhatIsNotTakenAtOnceGoesInSmallerPieces) {
  HttpWorld world;
  world.fake.quirks.most_at_once = 2 * kMiB;
  const std::string bytes(10 * kMiB, 'x');
  ASSERT_TRUE(world.put(bytes));
  EXPECT_TRUE(world.has(bytes));
}

TEST(HttpRegistry, WhatIsNotTakenAtAllIsToldWithItsSize) {
  HttpWorld world;
  world.fake.quirks.most_at_once = kMiB / 2;
  const auto put = world.put(std::string(10 * kMiB, 'x'));
  ASSERT_FALSE(put);
  EXPECT_NE(put.error().message.find("Cannot push 10.0 MiB to `a`"), std::string::npos)
      << put.error().message;
  EXPECT_NE(put.error().hint.find("split `files`"), std::string::npos);
}

// Relays `bytes` while a thread of its own makes them.
Result<void> relay(HttpWorld& world, const std::string& bytes) {
  RelayedBlob blob;
  const std::jthread maker([&] {
    for (std::size_t at = 0; at < bytes.size(); at += kMiB)
      blob.add(std::string_view(bytes).substr(at, kMiB));
    blob.end(HttpWorld::layer_of(bytes));
  });
  Result<void> done = world.registry->put("a", blob, {});
  blob.give_up();
  return done;
}

TEST(HttpRegistry, WhatIsStillBeingMadeTravelsInPiecesAndGetsItsDigestLast) {
  HttpWorld world;
  const std::string bytes(50 * kMiB + 7, 'x');
  ASSERT_TRUE(relay(world, bytes));
  EXPECT_TRUE(world.has(bytes));
  EXPECT_EQ(world.count("PATCH"), 4U);
  EXPECT_EQ(world.sent_bytes(), bytes.size());
}

TEST(HttpRegistry, WhatIsStillBeingMadeGoesOnWhereItWasCut) {
  HttpWorld world;
  const std::string bytes(50 * kMiB, 'x');
  world.fail_first("PATCH", 3, {0, 0.5});
  ASSERT_TRUE(relay(world, bytes));
  EXPECT_TRUE(world.has(bytes));
  EXPECT_EQ(world.count("POST"), 1U);
}

TEST(HttpRegistry, WhatIsStillBeingMadeIsNotBegunAgain) {
  HttpWorld world;
  world.fake.quirks.tells_upload_state = false;
  const std::string bytes(50 * kMiB, 'x');
  bool first = true;
  world.fake.fault = [&](const HttpRequest& request) -> std::optional<FakeRegistry::Fault> {
    if (request.method != "PATCH" || std::exchange(first, false)) return std::nullopt;
    return FakeRegistry::Fault{404};
  };
  EXPECT_FALSE(relay(world, bytes)) << "its first stretch is gone";
  EXPECT_FALSE(world.has(bytes));
}

TEST(HttpRegistry, OneThatIsGivenUpIsTakenBack) {
  HttpWorld world;
  RelayedBlob blob;
  blob.add(std::string(RelayedBlob::kStretchBytes, 'x'));
  world.fake.fault = [&](const HttpRequest& request) -> std::optional<FakeRegistry::Fault> {
    if (request.method == "PATCH") blob.give_up();
    return std::nullopt;
  };
  EXPECT_FALSE(world.registry->put("a", blob, {}));
  EXPECT_EQ(world.count("DELETE"), 1U);
  EXPECT_EQ(world.count("PUT"), 0U);
}

TEST(HttpRegistry, OneThatDoesNotAnswerIsWaitedForOnce) {
  HttpWorld world;
  bool away = true;
  world.http.answer = [&](const HttpRequest& request) -> Result<HttpResponse> {
    if (!away) return world.fake.answer(request);
    return fail(user_error("Cannot reach it: refused").because(Blame::kRemote));
  };
  const auto asked = [&] {
    world.http.forget();
    static_cast<void>(world.registry->size_of("a", sha256_of("x"), nullptr, {}));
    return world.http.requests().size();
  };
  EXPECT_EQ(asked(), 7U);
  EXPECT_EQ(asked(), 1U);
  away = false;
  EXPECT_EQ(asked(), 1U);
  away = true;
  EXPECT_EQ(asked(), 7U) << "it has answered since";
}

TEST(HttpRegistry, ARefusedMountIsGoneOnWithAsAnUpload) {
  HttpWorld world;
  world.fake.quirks.mounts = false;
  EXPECT_FALSE(world.registry->mount("a", HttpWorld::layer_of("hello"), "b", {}).value());
  ASSERT_TRUE(world.put("hello"));
  EXPECT_EQ(world.count("POST"), 1U);
}

TEST(HttpRegistry, OneThatDoesNotKnowHeadIsReadInstead) {
  HttpWorld world;
  ASSERT_TRUE(world.put("hello"));
  const std::string document = cat(R"({"mediaType":")", kManifestType, "\"}");
  world.put_document("v1", document);
  world.fake.quirks.knows_head = false;
  EXPECT_FALSE(world.registry->size_of("a", sha256_of("hello"), nullptr, {}).value()) << "so it is sent";
  const auto found = world.registry->find({"a", "v1"}, nullptr, {});
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->digest, sha256_of(document));
  EXPECT_FALSE(world.registry->find({"a", "v2"}, nullptr, {}).value());
}

TEST(HttpRegistry, ABlobElsewhereIsReadThereWithoutTheLogin) {
  HttpWorld world;
  ASSERT_TRUE(world.put("hello"));
  world.environment.variables["TRAINMAKE_LOGIN_R_EXAMPLE_COM"] = "me:secret";
  world.fake.quirks.redirects_blobs = true;
  EXPECT_EQ(world.registry->size_of("a", sha256_of("hello"), nullptr, {}).value(), 5U);
  EXPECT_EQ(world.read(HttpWorld::layer_of("hello")).value(), "hello");
}

TEST(HttpRegistry, ARedirectToWhereNothingIsTellsOfNothing) {
  HttpWorld world;
  world.fake.fault = [](const HttpRequest& request) -> std::optional<FakeRegistry::Fault> {
    if (!request.url.starts_with("https://r.example.com")) return std::nullopt;
    return FakeRegistry::Fault{307, 0, {{"location", "https://cdn.example.com/sha256:none"}}};
  };
  EXPECT_FALSE(world.registry->size_of("a", sha256_of("hello"), nullptr, {}).value());
}

TEST(HttpRegistry, AnAnswerThatIsNoRegistrysIsNotBelieved) {
  HttpWorld world;
  world.http.answer = [&](const HttpRequest& request) -> Result<HttpResponse> {
    if (request.method == "PUT") return HttpResponse{200, {{"content-type", "text/html"}}, "<html>sign in"};
    return world.fake.answer(request);
  };
  EXPECT_FALSE(world.put("hello"));
  EXPECT_FALSE(world.registry->put_manifest("a", {kManifestType, "{}"}, {"v1"}, {}));
}

TEST(HttpRegistry, AnUploadThatFallsBackAgainAndAgainIsGivenUp) {
  HttpWorld world;
  world.http.answer = [&, pieces = 0](const HttpRequest& request) mutable -> Result<HttpResponse> {
    const bool loses = request.method == "PATCH" && ++pieces % 2 == 0;
    if (loses || (request.method == "GET" && pieces % 2 == 0))
      return HttpResponse{loses ? 500 : 204, {{"range", "0-0"}, {"location", request.url}}, ""};
    Result<HttpResponse> response = world.fake.answer(request);
    if (request.method == "PATCH" && response && response->status == 400)  // it forgot the first as well
      return HttpResponse{202, {{"range", "0-33554431"}, {"location", request.url}}, ""};
    return response;
  };
  const auto put = world.put(std::string(100 * kMiB, 'x'));
  ASSERT_FALSE(put);
  EXPECT_NE(put.error().message.find("loses the upload again and again"), std::string::npos)
      << put.error().message;
  world.fake.wrong.clear();
}

TEST(HttpRegistry, ABlobThatIsAnotherIsRefused) {
  HttpWorld world;
  world.fake.blobs["a"][digest_text(sha256_of("hello"))] = "world";
  const auto read = world.read(HttpWorld::layer_of("hello"));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().blame, Blame::kRemote);
  EXPECT_NE(read.error().message.find("as its digest says"), std::string::npos);
}

TEST(HttpRegistry, ABlobWithoutAnEndIsNotReadToIt) {
  HttpWorld world;
  world.fake.blobs["a"][digest_text(sha256_of("hello"))] = std::string(kMiB, 'x');
  ASSERT_FALSE(world.read(HttpWorld::layer_of("hello")));
  EXPECT_EQ(world.count("GET"), 1U) << "asking again would not heal it";
}

TEST(HttpRegistry, AManifestThatIsKeptAsAnotherIsAnError) {
  HttpWorld world;
  world.http.answer = [&](const HttpRequest&) -> Result<HttpResponse> {
    return HttpResponse{201, {{"docker-content-digest", digest_text(sha256_of("another"))}}, ""};
  };
  const auto put = world.registry->put_manifest("a", {kManifestType, "{}"}, {"v1"}, {});
  ASSERT_FALSE(put);
  EXPECT_NE(put.error().message.find("keeps `a:v1` as"), std::string::npos) << put.error().message;
}

TEST(HttpRegistry, SpeaksOnlyWhereItIsSaidTo) {
  HttpWorld world;
  const auto plain = make_remote_registry(world.host, {"r.example.com", "", true}, world.tally);
  world.http.answer = [](const HttpRequest&) -> Result<HttpResponse> { return HttpResponse{404, {}, ""}; };
  ASSERT_TRUE(plain->find({"a", "v1"}, nullptr, {}));
  EXPECT_EQ(world.http.requests().back().url, "http://r.example.com/v2/a/manifests/v1");
  const auto other =
      make_remote_registry(world.host, {"r.example.com", "http://127.0.0.1:1/", false}, world.tally);
  ASSERT_TRUE(other->find({"a", "v1"}, nullptr, {}));
  EXPECT_EQ(world.http.requests().back().url, "http://127.0.0.1:1/v2/a/manifests/v1");
}

TEST(HttpRegistry, TrustsWhomItsFilesName) {
  HttpWorld world;
  const std::string ours = "-----BEGIN CERTIFICATE-----\nours\n";
  world.files.put("/w/ca.crt", ours);
  world.files.put("/etc/docker/certs.d/r.example.com/ca.crt", "-----BEGIN CERTIFICATE-----\ndocker's\n");
  world.files.put("/etc/docker/certs.d/r.example.com/client.key", "secret");
  const auto trusting =
      make_remote_registry(world.host, {"r.example.com", "", false, "/w/ca.crt"}, world.tally);
  ASSERT_TRUE(trusting->find({"a", "v1"}, nullptr, {}));
  const std::string sent = world.http.requests().back().authorities;
  EXPECT_NE(sent.find("ours"), std::string::npos);
  EXPECT_NE(sent.find("docker's"), std::string::npos);
  EXPECT_EQ(sent.find("secret"), std::string::npos);
  world.files.put("/w/ca.crt", "no certificate");
  const auto wrong = make_remote_registry(world.host, {"r.example.com", "", false, "/w/ca.crt"}, world.tally);
  const auto found = wrong->find({"a", "v1"}, nullptr, {});
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("`/w/ca.crt`"), std::string::npos) << found.error().message;
}

struct AskedForALogin {
  HttpWorld world;
  std::vector<std::string> told;  // `Authorization` of each request, "" of those without

  AskedForALogin() {
    world.environment.variables["TRAINMAKE_LOGIN_R_EXAMPLE_COM"] = "me:secret";
    world.http.answer = [this](const HttpRequest& request) -> Result<HttpResponse> {
      told.emplace_back();
      for (const auto& [name, value] : request.headers) {
        if (name == "Authorization") told.back() = value;
      }
      return HttpResponse{401, {{"www-authenticate", "Basic realm=\"here\""}}, ""};
    };
  }
  // Who is told who we are, as `user:password`; "" is nobody.
  std::string told_at(const std::string& url) {
    told.clear();
    const auto registry = make_remote_registry(world.host, {"r.example.com", url, false}, world.tally);
    advice = registry->find({"a", "v1"}, nullptr, {}).error().hint;
    return told.back().empty() ? "" : *from_base64(std::string_view(told.back()).substr(6));
  }
  std::string advice = {};
};

TEST(HttpRegistry, ALoginGoesToItsOwnHostOrThisMachine) {
  AskedForALogin asked;
  for (const char* url : {"", "https://r.example.com", "https://R.example.com:443/", "http://127.0.0.1:5000",
                          "http://localhost:5000", "https://[::1]:5000"})
    EXPECT_EQ(asked.told_at(url), "me:secret") << url;
  for (const char* url : {"https://other.example.com", "http://other.example.com", "http://r.example.com",
                          "https://r.example.com:444", "http://127.evil.example.com",
                          "https://r.example.com@evil.com", "https://r.example.com.evil.com"})
    EXPECT_EQ(asked.told_at(url), "") << url;
}

TEST(HttpRegistry, AnEndpointElsewhereHasALoginOfItsOwn) {
  AskedForALogin asked;
  EXPECT_EQ(asked.told_at("https://other.example.com:8443"), "");
  EXPECT_NE(asked.advice.find("`trainmake login other.example.com:8443`"), std::string::npos) << asked.advice;
  EXPECT_NE(asked.advice.find("TRAINMAKE_TRUSTED_ENDPOINTS=https://other.example.com:8443`"),
            std::string::npos);
  asked.world.environment.variables["TRAINMAKE_LOGIN_OTHER_EXAMPLE_COM_8443"] = "you:their";
  EXPECT_EQ(asked.told_at("https://other.example.com:8443"), "you:their");
  EXPECT_EQ(asked.told_at("http://other.example.com:8443"), "") << "in the clear";
}

TEST(HttpRegistry, AnEndpointThatTheEnvironmentNamesGetsTheLogin) {
  AskedForALogin asked;
  asked.world.environment.variables["TRAINMAKE_TRUSTED_ENDPOINTS"] =
      "https://hub.lan/ http://hub.lan http://r.example.com";
  EXPECT_EQ(asked.told_at("https://hub.lan"), "me:secret");
  EXPECT_EQ(asked.told_at("http://r.example.com"), "me:secret") << "its own host, in the clear";
  EXPECT_EQ(asked.told_at("http://hub.lan"), "");
  EXPECT_NE(asked.advice.find("https"), std::string::npos);
  EXPECT_EQ(asked.told_at("https://hub.lan.evil.com"), "");
}

}  // namespace
}  // namespace trainmake
