#include "engine/cloud/ucloud_account.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/mem_fs.h"

namespace trainmake {
namespace {

struct Somebody {
  MemFileSystem files;
  FakeProcesses processes;
  FakeHttp http;
  FakeClock clock;
  Environment environment{{{"HOME", "/home/me"}}};
  Host host{files, processes, http, clock, environment};

  Somebody() {
    files.put("/home/me/.ucloud/credential.json", R"([
      {"profile": "default", "public_key": "D", "private_key": "d"},
      {"profile": "work", "public_key": "W", "private_key": "w"}])");
  }
  std::string found(const std::string& profile = "") {
    const Result<UCloudAccount> account = find_ucloud_account(host, profile);
    return account ? account->keys.public_key + account->keys.private_key.reveal() : account.error().message;
  }
};

TEST(UCloudAccount, TheEnvironmentGoesFirstAndANamedProfileBeforeIt) {
  Somebody me;
  EXPECT_EQ(me.found(), "Dd");
  me.environment.variables["UCLOUD_PUBLIC_KEY"] = "E";
  EXPECT_EQ(me.found(), "Dd") << "half of a pair is none";
  me.environment.variables["UCLOUD_PRIVATE_KEY"] = "e";
  EXPECT_EQ(me.found(), "Ee");
  EXPECT_EQ(me.found("work"), "Ww");
}

TEST(UCloudAccount, TheActiveProfileIsTheUsualOne) {
  Somebody me;
  me.files.put("/home/me/.ucloud/config.json", R"([
    {"profile": "default", "active": false},
    {"profile": "work", "active": true, "project_id": "org-1", "base_url": "http://here:1/"}])");
  EXPECT_EQ(me.found(), "Ww");
  EXPECT_EQ(find_ucloud_account(me.host, "")->project, "org-1");
  EXPECT_EQ(find_ucloud_account(me.host, "")->api, "http://here:1");
  me.environment.variables["UCLOUD_PROFILE"] = "default";
  EXPECT_EQ(me.found(), "Dd");
  EXPECT_EQ(find_ucloud_account(me.host, "")->api, "https://api.ucloud.cn");
}

TEST(UCloudAccount, WhereThereAreNoKeysThatIsTold) {
  Somebody me;
  const Result<UCloudAccount> account = find_ucloud_account(me.host, "other");
  ASSERT_FALSE(account);
  EXPECT_NE(account.error().message.find("profile `other`"), std::string::npos);
  EXPECT_NE(account.error().hint.find("UCLOUD_PRIVATE_KEY"), std::string::npos);
  EXPECT_EQ(account.error().blame, Blame::kRemote);
}

TEST(UCloudAccount, KeysGoToNobodyInTheClear) {
  EXPECT_TRUE(may_carry_keys("https://api.ucloud.cn"));
  EXPECT_TRUE(may_carry_keys("http://127.0.0.1:8000/api"));
  EXPECT_FALSE(may_carry_keys("http://127.0.0.1.example.com"));
  EXPECT_FALSE(may_carry_keys("http://api.ucloud.cn"));
  EXPECT_FALSE(ucloud_call({}, "http://api.ucloud.cn", {}));
}

TEST(UCloudAccount, AFileThatIsNoneIsTold) {
  Somebody me;
  me.files.put("/home/me/.ucloud/credential.json", "{\"private_key\": \"secret");
  EXPECT_NE(me.found().find("is no list of profiles"), std::string::npos);
  EXPECT_EQ(me.found().find("secret"), std::string::npos);
}

}  // namespace
}  // namespace trainmake
