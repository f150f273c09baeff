#include "rules/image/registries/http/login.h"

#include <gtest/gtest.h>

#include "engine/base/encoding.h"
#include "engine/base/text.h"
#include "rules/image/registries/http/challenge.h"
#include "rules/image/registries/http/check_login.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/mem_fs.h"

namespace trainmake {
namespace {

struct LoginWorld {
  MemFileSystem files;
  FakeProcesses processes;
  FakeHttp http;
  FakeClock clock;
  Environment environment{{{"HOME", "/home/me"}}};
  Host host{files, processes, http, clock, environment};
  Tally tally;

  std::string user_of(const std::string& registry) {
    const auto login = login_for(host, registry, {});
    return login && *login ? cat((*login)->user, " ", (*login)->password.reveal()) : std::string();
  }
  Result<bool> check(const std::string& password) {
    return check_login(host, {"r.example.com"}, {"me", password}, tally, {});
  }
};

std::string entry(const std::string& key, const std::string& user) {
  return cat(R"({"auths":{")", key, R"(":{"auth":")", base64_of(cat(user, ":secret")), "\"}}}");
}

TEST(Login, IsTheFirstThatIsFound) {
  LoginWorld world;
  EXPECT_EQ(world.user_of("r.example.com:5000"), "");
  const auto put = [&](const std::string& path, const std::string& user) {
    world.files.put(path, entry("r.example.com:5000", user));
    return world.user_of("r.example.com:5000");
  };
  EXPECT_EQ(put("/home/me/.docker/config.json", "docker"), "docker secret");
  world.environment.variables["XDG_RUNTIME_DIR"] = "/run/me";
  EXPECT_EQ(put("/run/me/containers/auth.json", "podman"), "podman secret");
  world.environment.variables["REGISTRY_AUTH_FILE"] = "/auth.json";
  EXPECT_EQ(put("/auth.json", "file"), "file secret");
  EXPECT_EQ(put("/home/me/.config/trainmake/logins.json", "ours"), "ours secret");
  world.environment.variables["TRAINMAKE_LOGIN_R_EXAMPLE_COM_5000"] = "env:with:colons";
  EXPECT_EQ(world.user_of("r.example.com:5000"), "env with:colons");
  EXPECT_EQ(world.user_of("r.example.com"), "") << "another port is another registry";
}

TEST(Login, StandsUnderAnyOfARegistrysNames) {
  LoginWorld world;
  for (const std::string key : {"docker.io", "https://index.docker.io/v1/", "index.docker.io"}) {
    world.files.put("/home/me/.docker/config.json", entry(key, "me"));
    EXPECT_EQ(world.user_of("docker.io"), "me secret") << key;
  }
  world.files.put("/home/me/.docker/config.json", entry("https://r.example.com/v1/", "me"));
  EXPECT_EQ(world.user_of("r.example.com"), "me secret");
}

TEST(Login, SaysWhereItIsFrom) {
  LoginWorld world;
  world.files.put("/home/me/.docker/config.json", entry("r.example.com", "me"));
  EXPECT_EQ(login_for(world.host, "r.example.com", {}).value()->from, "`/home/me/.docker/config.json`");
  world.environment.variables["TRAINMAKE_LOGIN_R_EXAMPLE_COM"] = "me:x";
  EXPECT_EQ(login_for(world.host, "r.example.com", {}).value()->from, "`TRAINMAKE_LOGIN_R_EXAMPLE_COM`");
}

TEST(Login, AVariableThatIsNoneIsAnErrorThatDoesNotShowIt) {
  LoginWorld world;
  world.environment.variables["TRAINMAKE_LOGIN_R_EXAMPLE_COM"] = "secret";
  const auto login = login_for(world.host, "r.example.com", {});
  ASSERT_FALSE(login);
  EXPECT_EQ(cat(login.error().message, login.error().hint).find("secret"), std::string::npos);
}

TEST(Login, IsKeptForUsAloneAndRemoved) {
  LoginWorld world;
  const std::string path = own_login_file(world.environment);
  EXPECT_EQ(path, "/home/me/.config/trainmake/logins.json");
  ASSERT_TRUE(keep_login(world.host, "r.example.com", {"me", "secret"}));
  ASSERT_TRUE(keep_login(world.host, "docker.io", {"you", "secret"}));
  EXPECT_EQ(world.files.look(path).value().mode, 0600U);
  EXPECT_EQ(world.files.content(path).find("secret"), std::string::npos) << "as docker keeps it";
  EXPECT_EQ(world.user_of("r.example.com"), "me secret");
  EXPECT_EQ(world.user_of("docker.io"), "you secret");
  EXPECT_TRUE(remove_login(world.host, "r.example.com").value());
  EXPECT_FALSE(remove_login(world.host, "r.example.com").value());
  EXPECT_EQ(world.user_of("r.example.com"), "");
  EXPECT_EQ(world.user_of("docker.io"), "you secret");
}

TEST(Login, WithoutAHomeNothingIsKept) {
  LoginWorld world;
  world.environment.variables.clear();
  EXPECT_FALSE(keep_login(world.host, "r.example.com", {"me", "secret"}));
  EXPECT_FALSE(remove_login(world.host, "r.example.com").value());
}

TEST(Login, EntriesNameRegistriesAndUsers) {
  const auto entries = entries_of(
      cat(R"({"credHelpers":{"h.example.com":"pass"},"auths":{"https://index.docker.io/v1/":{"auth":")",
          base64_of("me:x"), R"("},"s.example.com":{}},"credsStore":"all"})"),
      "/config.json");
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 3U);
  EXPECT_EQ((*entries)[0].helper, "pass");
  EXPECT_EQ((*entries)[1].key, "docker.io");
  EXPECT_EQ((*entries)[1].login->user, "me");
  EXPECT_EQ((*entries)[2].helper, "all");
  EXPECT_FALSE(entries_of("[]", "/config.json"));
}

TEST(CheckLogin, ABasicLoginIsTried) {
  LoginWorld world;
  world.http.answer = [](const HttpRequest& request) -> Result<HttpResponse> {
    for (const auto& [name, value] : request.headers) {
      if (name == "Authorization" && value == cat("Basic ", base64_of("me:right")))
        return HttpResponse{200, {}, "{}"};
    }
    return HttpResponse{401, {{"www-authenticate", "Basic realm=\"here\""}}, ""};
  };
  EXPECT_TRUE(world.check("right").value());
  const auto wrong = world.check("wrong");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().blame, Blame::kRemote);
  EXPECT_EQ(cat(wrong.error().message, wrong.error().hint).find("wrong"), std::string::npos);
}

TEST(CheckLogin, ATokenIsAskedForWithoutAScope) {
  LoginWorld world;
  world.http.answer = [](const HttpRequest& request) -> Result<HttpResponse> {
    if (request.url.starts_with("https://auth.example.com/token?service=s&account=me")) {
      EXPECT_EQ(request.url.find("scope"), std::string::npos);
      return HttpResponse{200, {}, R"({"token":"t"})"};
    }
    for (const auto& [name, value] : request.headers) {
      if (name == "Authorization" && value == "Bearer t") return HttpResponse{200, {}, "{}"};
    }
    return HttpResponse{
        401,
        {{"www-authenticate", "Negotiate"},
         {"www-authenticate", R"(Bearer realm="https://auth.example.com/token",service="s")"}},
        ""};
  };
  EXPECT_TRUE(world.check("right").value());
}

TEST(CheckLogin, NoLoginGoesUnencryptedWhereItsRegistryIsEncrypted) {
  LoginWorld world;
  world.http.answer = [](const HttpRequest&) -> Result<HttpResponse> {
    return HttpResponse{401, {{"www-authenticate", R"(Bearer realm="http://auth.example.com/token")"}}, ""};
  };
  EXPECT_FALSE(world.check("right"));
  EXPECT_EQ(world.http.requests().size(), 1U);
}

TEST(CheckLogin, OneThatLetsEverybodyInTellsNothing) {
  LoginWorld world;
  world.http.answer = [](const HttpRequest&) -> Result<HttpResponse> { return HttpResponse{200, {}, "{}"}; };
  EXPECT_FALSE(world.check("any").value());
}

TEST(CheckLogin, APasswordIsNotTriedWhereTheLoginWouldNotGo) {
  LoginWorld world;
  for (const char* url : {"https://other.example.com", "http://r.example.com"}) {
    const auto tried = check_login(world.host, {"r.example.com", url}, {"me", "secret"}, world.tally, {});
    ASSERT_FALSE(tried);
    EXPECT_NE(tried.error().message.find("is not tried"), std::string::npos) << tried.error().message;
  }
  EXPECT_TRUE(world.http.requests().empty());
}

}  // namespace
}  // namespace trainmake
