#include "cache/stores/http/http_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <set>

#include "cache/file_digests.h"
#include "cache/stores/http/http_answers.h"
#include "cache/stores/http/http_login.h"
#include "cache/stores/http/http_place.h"
#include "engine/base/encoding.h"
#include "engine/base/text.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/fake_webdav.h"
#include "tests/support/forwarding_fs.h"
#include "tests/support/store_under_test.h"

namespace trainmake {
namespace {

using Fault = FakeWebdav::Fault;

constexpr const char* kUrl = "https://dav.test/some/folder";

Service service_of(const std::string& url, std::vector<std::pair<std::string, std::string>> attributes = {}) {
  attributes.emplace_back("url", url);
  std::sort(attributes.begin(), attributes.end());
  Service service{"store", "web-1", {}, {"TRAINSPACE.lua", 1}};
  for (const auto& [name, text] : attributes) {
    Value value;
    value.data = text;
    service.attributes.fields.emplace_back(name, value);
  }
  return service;
}

struct HttpWorld {
  std::shared_ptr<MemFileSystem> files = std::make_shared<MemFileSystem>();
  FakeProcesses processes;
  FakeHttp http;
  FakeClock clock;
  Environment environment{{{"HOME", "/home/me"}}};
  Host host{*files, processes, http, clock, environment};
  Workspace workspace{"/w", "/w/.trainmake", ""};
  Tally tally;
  FakeWebdav server{"https://dav.test"};
  std::mutex server_mutex;
  std::unique_ptr<Store> store;

  explicit HttpWorld(const std::string& url = kUrl,
                     const std::vector<std::pair<std::string, std::string>>& attributes = {}) {
    http.answer = [this](const HttpRequest& request) {
      const std::lock_guard lock(server_mutex);
      return server.answer(request);
    };
    auto made = make_http_store(host, workspace, service_of(url, attributes), tally);
    EXPECT_TRUE(made);
    store = *std::move(made);
  }
  ~HttpWorld() { EXPECT_TRUE(server.wrong.empty()) << server.wrong.front(); }

  Result<PutFile> put_file(const std::string& key, const std::string& bytes) {
    files->put("/src/f", bytes);
    ContentHasher hasher;
    hasher.add(bytes);
    return store->put_file({key, "/src/f", hasher.finish()}, {});
  }
  void fault(std::function<std::optional<Fault>(const HttpRequest&)> what) { server.fault = std::move(what); }
  void fault_first(int count, const std::string& method, const Fault& fault) {
    server.fault = [=, left = count](const HttpRequest& request) mutable {
      return request.method == method && left-- > 0 ? std::optional(fault) : std::nullopt;
    };
  }
  std::vector<std::string> asked() const {
    std::vector<std::string> methods;
    for (const HttpRequest& request : http.requests()) methods.push_back(request.method);
    return methods;
  }
  std::set<std::string> listed(const std::string& prefix) {
    std::set<std::string> keys;
    EXPECT_TRUE(store->list(prefix, [&](const StoredObject& object) { keys.insert(object.key); }));
    return keys;
  }
};

StoreUnderTest under_test(const std::shared_ptr<HttpWorld>& world) {
  return {world->files, {world->store.get(), [world](Store*) {}}, false, &world->http};
}

}  // namespace

StoreUnderTest http_under_test() {
  auto world = std::make_shared<HttpWorld>();
  world->server.names_whole_urls = true;
  world->server.makes_folders = false;
  return under_test(world);
}

StoreUnderTest nginx_under_test() {
  auto world = std::make_shared<HttpWorld>();
  world->server.heeds_conditions = false;
  return under_test(world);
}

StoreUnderTest bare_nginx_under_test() {
  auto world = std::make_shared<HttpWorld>();
  world->server.heeds_conditions = world->server.knows_propfind = world->server.makes_folders = false;
  world->server.has_index = world->server.lacks_with_500 = true;
  return under_test(world);
}

namespace {

TEST(HttpStore, KeysLieBelowItsFolder) {
  HttpWorld world;
  ASSERT_TRUE(world.put_file("a b/ü%41.txt", "x"));
  EXPECT_EQ(world.server.paths(), std::set<std::string>{"/some/folder/a b/ü%41.txt"});
}

TEST(HttpStore, NamesWithADotAreNotHiddenThere) {
  HttpWorld world;
  for (const char* key : {".own/a/.b", "~c", "~.d"}) ASSERT_TRUE(world.put_file(key, "x"));
  EXPECT_EQ(world.server.paths(),
            (std::set<std::string>{"/some/folder/~.own/a/~.b", "/some/folder/~~c", "/some/folder/~~.d"}));
  world.server.put("/some/folder/.theirs", "x");
  world.server.put("/some/folder/~theirs", "x");
  EXPECT_EQ(world.listed(""), (std::set<std::string>{".own/a/.b", "~c", "~.d"}));
  EXPECT_EQ(world.listed(".own/a/"), std::set<std::string>{".own/a/.b"});
}

TEST(HttpStore, ALargeFileTravelsInPiecesAndWhole) {
  HttpWorld world;
  std::string bytes(3'000'000, 'x');
  bytes[2'500'000] = 'y';
  const Result<PutFile> put = world.put_file("k", bytes);
  ASSERT_TRUE(put);
  EXPECT_EQ(put->sent, bytes.size());
  EXPECT_TRUE(world.server.bytes("/some/folder/k") == bytes);
  EXPECT_TRUE(world.http.requests().front().body_from) << "and is not held";
}

TEST(HttpStore, ALookReadsWhatIsSmall) {
  HttpWorld world;
  ASSERT_TRUE(world.put_file("small", "content"));
  ASSERT_TRUE(world.put_file("large", std::string(2'000'000, 'x')));
  world.http.forget();
  EXPECT_EQ(world.store->look("small").value()->content, digest_of("content"));
  EXPECT_EQ(world.store->look("large").value()->content, std::nullopt);
  EXPECT_EQ(world.asked(), (std::vector<std::string>{"HEAD", "GET", "HEAD"}));
}

TEST(HttpStore, AFileThatChangedIsNotSent) {
  HttpWorld world;
  world.files->put("/src/f", std::string(3'000'000, 'x'));
  EXPECT_FALSE(world.store->put_file({"k", "/src/f", digest_of("before")}, {}));
  EXPECT_TRUE(world.http.requests().empty());
}

// Writes a file anew before it is opened for the second time: between the look and the sending.
class ChangingFileSystem final : public ForwardingFileSystem {
 public:
  ChangingFileSystem(MemFileSystem& files, std::string later)
      : ForwardingFileSystem(files), files_(files), later_(std::move(later)) {}
  Result<std::unique_ptr<FileReader>> open(const std::string& path) override {
    if (++opened_ == 2) files_.put(path, later_);
    return files_.open(path);
  }

 private:
  MemFileSystem& files_;
  std::string later_;
  int opened_ = 0;
};

TEST(HttpStore, TheEndOfAFileThatChangesOnItsWayIsNotSent) {
  const std::string before(3'000'000, 'x');
  for (const std::string& later : {std::string(3'000'000, 'y'), std::string(1'000'000, 'x')}) {
    HttpWorld world;
    world.files->put("/src/f", before);
    ContentHasher hasher;
    hasher.add(before);
    ChangingFileSystem changing(*world.files, later);
    Host host{changing, world.processes, world.http, world.clock, world.environment};
    const std::unique_ptr<Store> store =
        *make_http_store(host, world.workspace, service_of(kUrl), world.tally);
    const Result<PutFile> put = store->put_file({"k", "/src/f", hasher.finish()}, {});
    ASSERT_FALSE(put);
    EXPECT_NE(put.error().message.find("changed while it was sent"), std::string::npos);
    EXPECT_LT(world.http.requests().front().body.size(), before.size());
    EXPECT_TRUE(world.server.paths().empty());
  }
}

TEST(HttpStore, TroubleThatPassesIsWaitedFor) {
  for (const Fault& fault : {Fault{500}, Fault{503}, Fault{429}, Fault{408}, Fault{0}, Fault{0, true}}) {
    HttpWorld world;
    world.fault_first(3, "PUT", fault);
    EXPECT_TRUE(world.put_file("k", "x")) << fault.status;
    EXPECT_EQ(world.server.bytes("/some/folder/k"), "x");
    world.fault_first(3, "GET", fault);
    EXPECT_TRUE(world.store->get("k").value()) << fault.status;
  }
}

TEST(HttpStore, AServerSaysHowLongToWait) {
  HttpWorld world;
  world.fault_first(1, "GET", {503, false, {{"retry-after", "7"}}});
  const std::int64_t begin = world.clock.steady_ns();
  EXPECT_FALSE(world.store->get("k").value());
  EXPECT_GE(world.clock.steady_ns() - begin, 7'000'000'000);
}

TEST(HttpStore, TroubleThatStaysIsTold) {
  HttpWorld world;
  world.fault([](const HttpRequest&) { return Fault{503}; });
  const auto got = world.store->get("k");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().blame, Blame::kRemote);
  EXPECT_EQ(got.error().message, "Cannot read `k`: store `web-1` answers 503");
  EXPECT_EQ(world.http.requests().size(), 8U);
}

TEST(HttpStore, APutWhoseAnswerWasLostIsDone) {
  for (const bool heeds : {true, false}) {
    HttpWorld world;
    world.server.heeds_conditions = heeds;
    const auto first = world.store->put("k", "one", "");
    ASSERT_TRUE(first && *first);
    world.fault_first(1, "PUT", {0, true});
    const auto put = world.store->put("k", "manifest", **first);
    ASSERT_TRUE(put);
    EXPECT_TRUE(*put) << "who else would have put that";
    EXPECT_EQ(**put, world.store->look("k").value()->tag);
  }
}

TEST(HttpStore, WhoeverComesInBetweenIsNoticed) {
  // Before ours arrives, which a server that heeds no condition cannot know; and after it.
  const auto is_noticed = [](bool heeds, const std::string& before) {
    HttpWorld world;
    world.server.heeds_conditions = heeds;
    const auto tag = world.store->put("k", "one", "");
    EXPECT_TRUE(tag && *tag);
    world.fault([&, done = false](const HttpRequest& request) mutable -> std::optional<Fault> {
      if (request.method == before && !std::exchange(done, true))
        world.server.put("/some/folder/k", "theirs");
      return std::nullopt;
    });
    const auto put = world.store->put("k", "ours", **tag);
    EXPECT_TRUE(put);
    return put && !*put && world.server.bytes("/some/folder/k") == "theirs";
  };
  EXPECT_TRUE(is_noticed(true, "PUT"));
  for (const bool heeds : {true, false}) {
    EXPECT_TRUE(is_noticed(heeds, "HEAD"));
    EXPECT_TRUE(is_noticed(heeds, "GET"));
  }
}

TEST(HttpStore, WhatIsReplacedAtOnceGetsAnotherTag) {
  HttpWorld world;
  world.server.heeds_conditions = false;
  world.server.put_takes_s = 0;
  const std::int64_t begin_s = world.server.now_s;
  world.fault([&](const HttpRequest&) {
    world.server.now_s = begin_s + world.clock.steady_ns() / 1'000'000'000;
    return std::optional<Fault>();
  });
  const auto first = world.store->put("k", "one", "");
  ASSERT_TRUE(first && *first);
  const auto second = world.store->put("k", "two", **first);
  ASSERT_TRUE(second && *second);
  EXPECT_NE(**second, **first) << "of a server whose tags are seconds";
  EXPECT_FALSE(world.store->put("k", "six", **first).value());
  world.clock.advance(std::chrono::seconds(5));
  world.http.forget();
  ASSERT_TRUE(world.store->put("k", "ten", **second).value());
  EXPECT_EQ(world.asked(), (std::vector<std::string>{"HEAD", "PUT", "GET"})) << "and waits for nothing";
}

TEST(HttpStore, AConditionIsToldToServersThatHeedIt) {
  HttpWorld world;
  const auto header = [&](const std::string& name) {
    std::string found;
    for (const HttpRequest& request : world.http.requests()) {
      for (const auto& [known, value] : request.headers) {
        if (known == name) found = value;
      }
    }
    return found;
  };
  const auto tag = world.store->put("k", "one", "");
  ASSERT_TRUE(tag && *tag);
  EXPECT_EQ(header("If-None-Match"), "*");
  ASSERT_TRUE(world.store->put("k", "two", **tag).value());
  EXPECT_EQ(header("If-Match"), cat("\"", **tag, "\""));
}

TEST(HttpStore, MissingFoldersAreMade) {
  for (const bool with_500 : {false, true}) {
    HttpWorld world;
    world.server.makes_folders = false;
    world.server.lacks_with_500 = with_500;
    ASSERT_TRUE(world.put_file("a/b/c", "x"));
    EXPECT_TRUE(world.server.has_folder("/some/folder/a/b/")) << with_500;
  }
}

TEST(HttpStore, FoldersAreMadeAsFarAsTheyAreMissing) {
  HttpWorld world;
  world.server.put("/some/folder/x", "");
  world.server.makes_folders = false;
  ASSERT_TRUE(world.put_file("a/b/c", "x"));
  EXPECT_EQ(world.asked(), (std::vector<std::string>{"PUT", "MKCOL", "MKCOL", "MKCOL", "PUT", "HEAD"}));
  world.http.forget();
  ASSERT_TRUE(world.put_file("a/b/d", "x"));
  EXPECT_EQ(world.asked(), (std::vector<std::string>{"PUT", "HEAD"}));
}

TEST(HttpStore, AFolderIsNoObjectAndIsNotRemoved) {
  HttpWorld world;
  ASSERT_TRUE(world.put_file("a/b", "x"));
  EXPECT_FALSE(world.store->get("a").value());
  EXPECT_FALSE(world.store->look("a").value());
  ASSERT_TRUE(world.store->remove(std::vector<std::string>{"a"}, {}));
  for (const std::string& method : world.asked()) EXPECT_NE(method, "DELETE");
}

TEST(HttpStore, FoldersWithNothingInThemMakeWayForAFile) {
  for (const bool knows_propfind : {true, false}) {
    HttpWorld world;
    world.server.knows_propfind = knows_propfind;
    world.server.has_index = !knows_propfind;
    world.server.shows_hidden = true;
    ASSERT_TRUE(world.put_file("a/b/c", "x"));
    ASSERT_TRUE(world.store->remove(std::vector<std::string>{"a/b/c"}, {}));
    ASSERT_TRUE(world.server.has_folder("/some/folder/a/b/"));
    world.server.put("/some/folder/a/b/.trainmake-look", "");  // of one that was cut
    ASSERT_TRUE(world.put_file("a", "now a file"));
    EXPECT_EQ(world.server.paths(), std::set<std::string>{"/some/folder/a"});
    EXPECT_EQ(world.server.bytes("/some/folder/a"), "now a file");
  }
}

TEST(HttpStore, AFolderWhoseListMayHideWhatOthersPutThereStays) {
  for (const bool shows_hidden : {true, false}) {
    HttpWorld world;
    world.server.shows_hidden = shows_hidden;
    ASSERT_TRUE(world.put_file("a/b/c", "x"));
    ASSERT_TRUE(world.store->remove(std::vector<std::string>{"a/b/c"}, {}));
    world.server.put("/some/folder/a/b/.others", "x");
    const auto put = world.put_file("a", "now a file");
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().hint.find("https://dav.test/some/folder/a/ there by hand") != std::string::npos,
              !shows_hidden)
        << put.error().message;
    EXPECT_EQ(world.server.paths(), std::set<std::string>{"/some/folder/a/b/.others"});
  }
}

TEST(HttpStore, AFolderWithSomethingInItStays) {
  HttpWorld world;
  ASSERT_TRUE(world.put_file("a/b/c", "x"));
  ASSERT_TRUE(world.put_file("a/d/e", "x"));
  ASSERT_TRUE(world.store->remove(std::vector<std::string>{"a/b/c"}, {}));
  const auto put = world.put_file("a", "now a file");
  ASSERT_FALSE(put);
  EXPECT_NE(put.error().message.find("409"), std::string::npos) << put.error().message;
  EXPECT_TRUE(world.server.has_folder("/some/folder/a/b/")) << "nothing goes before all was looked at";
  EXPECT_EQ(world.server.bytes("/some/folder/a/d/e"), "x");
}

TEST(HttpStore, ListsByEitherWayAndAsksOnceWhichOneThereIs) {
  HttpWorld world;
  world.server.heeds_conditions = false;
  for (const char* key : {"a/1", "a/b/2", "c"}) ASSERT_TRUE(world.put_file(key, "x"));
  EXPECT_EQ(world.listed(""), (std::set<std::string>{"a/1", "a/b/2", "c"}));
  world.server.knows_propfind = false;
  world.server.has_index = true;
  HttpWorld other;
  other.http.answer = world.http.answer;
  EXPECT_EQ(other.listed(""), (std::set<std::string>{"a/1", "a/b/2", "c"}));
  EXPECT_EQ(other.asked(), (std::vector<std::string>{"PROPFIND", "GET", "GET", "GET"}));
  EXPECT_EQ(other.tally.requests[static_cast<std::size_t>(Method::kList)], 4U);
  EXPECT_TRUE(other.listed("nothing/").empty());
}

TEST(HttpStore, FoldersInFoldersWithoutEndAreToldOf) {
  HttpWorld world;
  int asked = 0;
  world.http.answer = [&](const HttpRequest& request) {
    ++asked;
    return request.method == "PROPFIND"
               ? HttpResponse{405, {}, ""}
               : HttpResponse{
                     200, {}, R"([{"name":"a","type":"directory"},{"name":"b","type":"directory"}])"};
  };
  const auto listed = world.store->list("", [](const StoredObject&) {});
  ASSERT_FALSE(listed);
  EXPECT_NE(listed.error().message.find("without an end"), std::string::npos);
  EXPECT_LT(asked, 200);
}

TEST(HttpStore, AReadThatGoesOnIsOnConditionOfWhatItBeganWith) {
  HttpWorld world;
  ASSERT_TRUE(world.put_file("k", std::string(10'000, 'r')));
  std::string tag;
  ASSERT_TRUE(world.store->list("k", [&](const StoredObject& object) { tag = object.tag; }));
  world.http.forget();
  world.http.cuts = {4000};
  ASSERT_EQ(world.store->read({"k", tag}, [](auto) { return Result<void>(); }, {}), ReadEnd::kWhole);
  const std::vector<HttpRequest> requests = world.http.requests();
  ASSERT_EQ(requests.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& headers = requests[i].headers;
    const bool has_condition = std::any_of(headers.begin(), headers.end(),
                                           [](const auto& header) { return header.first == "If-Match"; });
    EXPECT_EQ(has_condition, i == 1) << "not before the server has named one";
  }
}

TEST(HttpStore, AServerWithoutListsIsToldWhatToSwitchOn) {
  HttpWorld world;
  world.server.knows_propfind = false;
  ASSERT_TRUE(world.put_file("a/1", "x"));
  const Result<void> listed = world.store->list("a/", [](const StoredObject&) {});
  ASSERT_FALSE(listed);
  EXPECT_NE(listed.error().hint.find("dav_ext_methods PROPFIND"), std::string::npos);
  EXPECT_NE(listed.error().hint.find("autoindex_format json"), std::string::npos);
}

TEST(HttpStore, ARefusalSaysWhatToDo) {
  const auto hint = [](const Fault& fault) {
    HttpWorld world;
    world.fault([&](const HttpRequest&) { return std::optional(fault); });
    const auto put = world.put_file("k", "x");
    return put ? "" : cat(put.error().message, "; ", put.error().hint);
  };
  const std::vector<std::pair<int, std::string>> said = {{401, "TRAINMAKE_STORE_PASSWORD_WEB_1"},
                                                         {403, "whoever runs the server"},
                                                         {405, "dav_methods"},
                                                         {413, "client_max_body_size"},
                                                         {507, "is full"}};
  for (const auto& [status, word] : said)
    EXPECT_NE(hint({status}).find(word), std::string::npos) << hint({status});
  const std::string sent_on = hint({302, false, {{"location", "https://other.test/x?key=SECRET"}}});
  EXPECT_NE(sent_on.find("sends on to `https://other.test/x`"), std::string::npos) << sent_on;
}

TEST(HttpStore, ARedirectIsNotFollowed) {
  HttpWorld world;
  world.fault([](const HttpRequest&) { return Fault{308, false, {{"location", "https://other.test/x"}}}; });
  EXPECT_FALSE(world.put_file("k", "x"));
  EXPECT_FALSE(world.store->get("k"));
  EXPECT_FALSE(world.store->look("k"));
  EXPECT_FALSE(world.store->remove(std::vector<std::string>{"k"}, {}));
  for (const HttpRequest& request : world.http.requests()) EXPECT_TRUE(request.url.starts_with(kUrl));
}

TEST(HttpStore, ThePasswordComesFromTheEnvironmentOrFromNetrc) {
  for (const bool from_netrc : {false, true}) {
    HttpWorld world(kUrl, {{"user", "me"}});
    world.server.login = "me:open sesame";
    if (from_netrc)
      world.files->put("/home/me/.netrc", "machine dav.test login me password \"open sesame\"\n");
    else
      world.environment.variables["TRAINMAKE_STORE_PASSWORD_WEB_1"] = "open sesame";
    EXPECT_TRUE(world.put_file("k", "x")) << from_netrc;
  }
  HttpWorld unnamed;
  unnamed.server.login = "me:p";
  unnamed.files->put("/home/me/.netrc", "machine dav.test login me password p\n");
  EXPECT_TRUE(unnamed.put_file("k", "x"));
}

TEST(HttpStore, AWrongPasswordIsNotRepeatedAndNotTold) {
  HttpWorld world(kUrl, {{"user", "me"}});
  world.server.login = "me:right";
  world.environment.variables["TRAINMAKE_STORE_PASSWORD_WEB_1"] = "wrong-word";
  const auto put = world.put_file("k", "x");
  ASSERT_FALSE(put);
  EXPECT_EQ(world.http.requests().size(), 1U);
  const std::string said = cat(put.error().message, put.error().hint);
  EXPECT_EQ(said.find("wrong-word"), std::string::npos);
  EXPECT_EQ(said.find(base64_of("me:wrong-word")), std::string::npos);
  EXPECT_NE(said.find("check TRAINMAKE_STORE_PASSWORD_WEB_1"), std::string::npos) << said;
}

TEST(HttpStore, NoPasswordGoesOverPlainHttpToAnotherMachine) {
  for (const char* url : {"http://dav.test/x", "http://127.0.0.1.dav.test/x", "http://localhost.dav.test/"}) {
    HttpWorld world(url, {{"user", "me"}});
    world.environment.variables["TRAINMAKE_STORE_PASSWORD_WEB_1"] = "wrong-word";
    const auto put = world.put_file("k", "x");
    ASSERT_FALSE(put);
    EXPECT_NE(put.error().message.find("plain http"), std::string::npos) << put.error().message;
    EXPECT_EQ(cat(put.error().message, put.error().hint).find("wrong-word"), std::string::npos);
    EXPECT_TRUE(world.http.requests().empty());
  }
  for (const char* url : {"http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]:80/x"}) {
    HttpWorld world(url, {{"user", "me"}});
    world.environment.variables["TRAINMAKE_STORE_PASSWORD_WEB_1"] = "p";
    world.http.answer = [](const HttpRequest&) { return HttpResponse{404, {}, ""}; };
    EXPECT_TRUE(world.store->get("k")) << url;
  }
}

TEST(HttpStore, AUserWithoutAPasswordIsTold) {
  HttpWorld world(kUrl, {{"user", "me"}});
  const auto put = world.put_file("k", "x");
  ASSERT_FALSE(put);
  EXPECT_NE(put.error().hint.find("TRAINMAKE_STORE_PASSWORD_WEB_1"), std::string::npos);
  EXPECT_TRUE(world.http.requests().empty());
}

TEST(HttpStore, WhoVouchesForTheServerIsRead) {
  HttpWorld world(kUrl, {{"ca", "own/ca.crt"}});
  EXPECT_FALSE(world.store->get("k"));
  world.files->put("/w/own/ca.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n");
  ASSERT_TRUE(world.store->get("k"));
  EXPECT_EQ(world.http.requests().front().authorities, "-----BEGIN CERTIFICATE-----\nAAAA\n");
}

TEST(HttpLogin, NetrcIsReadAsOthersReadIt) {
  constexpr std::string_view kFile =
      "# machine dav.test login no password no\n"
      "machine other.test\n  login a\n  password b\n"
      "macdef init\nmachine dav.test login no password no\n\n"
      "machine DAV.test login first account x password \"a \\\"b\\\"\"\n"
      "machine dav.test login second password two default login any password any\n";
  const auto found = [&](std::string_view host, std::string_view user) {
    const std::optional<HttpLogin> login = login_in_netrc(kFile, host, user);
    return login ? cat(login->user, ":", login->password.reveal()) : "";
  };
  EXPECT_EQ(found("other.test", ""), "a:b");
  EXPECT_EQ(found("dav.test", ""), "first:a \"b\"");
  EXPECT_EQ(found("dav.test", "second"), "second:two");
  EXPECT_EQ(found("dav.test", "third"), "");
  EXPECT_EQ(found("nobody.test", ""), "") << "what is of any host is of none";
  EXPECT_FALSE(login_in_netrc("machine dav.test login", "dav.test", ""));
  EXPECT_FALSE(login_in_netrc("machine", "", ""));
}

TEST(HttpPlace, AddressesAreEncoded) {
  const auto url = [](const std::string& of) {
    const Result<HttpPlace> place = read_http_place(service_of(of), {"/w", "", ""});
    return place ? place->url("c d/e+f") : place.error().message;
  };
  EXPECT_EQ(url("https://h"), "https://h/c%20d/e%2Bf");
  EXPECT_EQ(url("https://h:8443/a%20b/~me//"), "https://h:8443/a%20b/~me/c%20d/e%2Bf");
}

TEST(HttpPlace, WhatIsNoAddressIsTold) {
  for (const char* url : {"https://", "https:h/x", "https:///x", "https://:80/x", "https://h/../x",
                          "https://h/a/%2e%2e/x", "https://h/x?y", "https://h/x#y", "https://h//x"})
    EXPECT_FALSE(read_http_place(service_of(url), {"/w", "", ""})) << url;
  EXPECT_FALSE(read_http_place(service_of(kUrl, {{"user", "me:word"}}), {"/w", "", ""}));
}

TEST(HttpAnswers, WhatIsNoListIsNotRead) {
  EXPECT_FALSE(parse_multistatus("<html/>", "/"));
  EXPECT_FALSE(parse_multistatus("", "/"));
  EXPECT_FALSE(parse_autoindex("<html>"));
  EXPECT_FALSE(parse_autoindex("{}"));
  EXPECT_FALSE(parse_autoindex("[1]"));
  EXPECT_FALSE(parse_autoindex("[[]]"));
  EXPECT_FALSE(parse_autoindex(R"([{"name":"a","type":"file"}])"));
  EXPECT_FALSE(parse_autoindex(R"([{"name":"a","type":"file","size":1},2])"));
  EXPECT_FALSE(parse_autoindex(R"([{"name":"a","type":"file","size":1},)"));
  EXPECT_TRUE(parse_autoindex("[]"));
}

TEST(HttpAnswers, WhatAListTellsBesidesIsPassedOver) {
  const auto listed = parse_autoindex(
      R"( [{"more":{"name":"b","all":[1,[{}]]},"name":"a","type":"file","size":4},{"name":"c","type":"directory"}])");
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 2U);
  EXPECT_EQ((*listed)[0].name, "a");
  EXPECT_EQ((*listed)[0].size, 4U);
  EXPECT_TRUE((*listed)[1].is_folder);
}

TEST(HttpAnswers, AFileOfThisVerySecondMayBeAnotherUnderItsTag) {
  const HttpResponse list{200, {{"date", "Sun, 22 Nov 2026 09:17:08 GMT"}}, ""};
  const auto shares = [&](const char* changed) {
    const auto listed =
        parse_autoindex(cat(R"([{"name":"a","type":"file","mtime":")", changed, R"(","size":4}])"));
    EXPECT_TRUE(listed);
    return may_share_their_tags(*listed, list);
  };
  EXPECT_FALSE(shares("Sun, 22 Nov 2026 09:17:07 GMT"));
  EXPECT_TRUE(shares("Sun, 22 Nov 2026 09:17:08 GMT"));
}

TEST(HttpAnswers, AListOfAnotherFolderIsRefused) {
  const auto parse = [](const std::string& href) {
    return parse_multistatus(
        cat("<multistatus xmlns='DAV:'><response><href>", href,
            "</href><propstat><prop><getcontentlength>3</getcontentlength></prop></propstat></response>"
            "</multistatus>"),
        "/a b/");
  };
  EXPECT_EQ(parse("/a%20b/c%2Bd").value().front().name, "c+d");
  EXPECT_EQ(parse("http://h/a%20b/c").value().front().name, "c");
  EXPECT_TRUE(parse("/a%20b").value().empty()) << "itself";
  EXPECT_FALSE(parse("/behind/a%20b/c"));
}

TEST(HttpAnswers, TagsAreOfNginxWhereThereIsNone) {
  HttpResponse response{
      200, {{"last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"}, {"content-length", "31"}}, ""};
  EXPECT_EQ(tag_of_answer(response), "2ebc98a1-1f");
  response.headers.emplace_back("etag", "W/\"x\"");
  EXPECT_EQ(tag_of_answer(response), "x");
}

}  // namespace
}  // namespace trainmake
