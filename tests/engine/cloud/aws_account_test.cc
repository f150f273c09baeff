#include "engine/cloud/aws_account.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/mem_fs.h"

namespace trainmake {
namespace {

struct AccountWorld {
  MemFileSystem files;
  FakeProcesses processes;
  FakeHttp http;
  FakeClock clock;
  Environment environment{{{"HOME", "/home/me"}}};
  Host host{files, processes, http, clock, environment};

  std::string id_of(const std::string& profile = "") {
    AwsAccount account(host, profile);
    const Result<AwsKeys> keys = account.keys({});
    return keys ? keys->id : keys.error().message;
  }
};

// As processes, containers and machines give keys.
std::string lent(const std::string& id, const std::string& until) {
  return cat(R"({"Version":1,"AccessKeyId":")", id,
             R"(","SecretAccessKey":"s","SessionToken":"t","Expiration":")", until, "\"}");
}

TEST(AwsAccount, TheEnvironmentGoesBeforeFiles) {
  AccountWorld world;
  world.files.put("/home/me/.aws/credentials",
                  "[default]\naws_access_key_id = F\naws_secret_access_key = s\n");
  EXPECT_EQ(world.id_of(), "F");
  world.environment.variables["AWS_ACCESS_KEY_ID"] = "E";
  EXPECT_EQ(world.id_of(), "F") << "a key alone is none";
  world.environment.variables["AWS_SECRET_ACCESS_KEY"] = "s";
  EXPECT_EQ(world.id_of(), "E");
}

TEST(AwsAccount, AProfileThatIsNamedGoesBeforeTheEnvironment) {
  AccountWorld world;
  world.environment.variables.insert({{"AWS_ACCESS_KEY_ID", "E"}, {"AWS_SECRET_ACCESS_KEY", "s"}});
  world.files.put("/home/me/.aws/credentials",
                  "# mine\n[default]\n[work]\naws_access_key_id=W ; of work\naws_secret_access_key = s\n");
  world.files.put("/home/me/.aws/config", "[profile work]\nregion = eu-west-1\ns3 =\n  region = nested\n");
  EXPECT_EQ(world.id_of("work"), "W");
  EXPECT_EQ(AwsAccount(world.host, "work").region().value(), "eu-west-1");
  EXPECT_NE(world.id_of("wrok").find("There is no AWS profile `wrok`"), std::string::npos);
}

TEST(AwsAccount, AProgramIsAskedAgainBeforeWhatItGaveEnds) {
  AccountWorld world;
  world.files.put("/home/me/.aws/config", "[default]\ncredential_process = keys --of me\n");
  int asked = 0;
  world.processes.answer = [&](const Command& command) -> Result<ProcessResult> {
    EXPECT_EQ(command.arguments.back(), "keys --of me");
    return ProcessResult{0, lent(cat("P", ++asked), "2001-09-09T02:46:40Z"), ""};
  };
  AwsAccount account(world.host);
  const std::int64_t end = std::int64_t{1'000'003'600} * 1'000'000'000;
  world.clock.advance(std::chrono::nanoseconds(end - world.clock.now_ns() - 3600LL * 1'000'000'000));
  EXPECT_EQ(account.keys({})->id, "P1");
  world.clock.advance(std::chrono::minutes(50));
  EXPECT_EQ(account.keys({})->id, "P1");
  world.clock.advance(std::chrono::minutes(6));
  EXPECT_EQ(account.keys({})->id, "P2");
}

TEST(AwsAccount, WhatAProgramSaysOfItsFailureIsNotShown) {
  AccountWorld world;
  world.files.put("/home/me/.aws/config", "[default]\ncredential_process = keys\n");
  world.processes.answer = [&](const Command&) -> Result<ProcessResult> {
    return ProcessResult{3, "", "refused: secret=abcdef"};
  };
  AwsAccount account(world.host);
  const Result<AwsKeys> keys = account.keys({});
  ASSERT_FALSE(keys);
  EXPECT_NE(keys.error().message.find("exit code 3"), std::string::npos);
  EXPECT_EQ(keys.error().message.find("abcdef"), std::string::npos);
}

TEST(AwsAccount, WhatOnlyAwsOwnToolCanAskForIsTold) {
  AccountWorld world;
  world.files.put("/home/me/.aws/config", "[default]\nsso_session = me\n");
  AwsAccount account(world.host);
  const Result<AwsKeys> keys = account.keys({});
  ASSERT_FALSE(keys);
  EXPECT_NE(keys.error().hint.find("aws configure export-credentials"), std::string::npos);
}

TEST(AwsAccount, AWebIdentityAContainerAndAMachineAreAsked) {
  AccountWorld world;
  world.http.answer = [](const HttpRequest& request) -> Result<HttpResponse> {
    const std::string& url = request.url;
    if (url == "https://sts.eu-west-1.amazonaws.com/") {
      EXPECT_NE(request.body.find("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"), std::string::npos);
      EXPECT_NE(request.body.find("WebIdentityToken=jwt"), std::string::npos);
      return HttpResponse{
          200, {}, R"({"AssumeRoleWithWebIdentityResponse":{"AssumeRoleWithWebIdentityResult":{"Credentials":
        {"AccessKeyId":"WEB","SecretAccessKey":"s","SessionToken":"t","Expiration":1.0e9}}}})"};
    }
    if (url == "http://169.254.170.2/creds")
      return HttpResponse{200, {}, lent("BOX", "2030-01-01T00:00:00Z")};
    if (url.ends_with("/latest/api/token")) return HttpResponse{200, {}, "token"};
    EXPECT_EQ(request.headers.front().second, "token");
    if (url.ends_with("/security-credentials/")) return HttpResponse{200, {}, "my-role"};
    if (url.ends_with("/security-credentials/my-role"))
      return HttpResponse{200, {}, lent("MACHINE", "2030-01-01T00:00:00Z")};
    return HttpResponse{404, {}, ""};
  };
  EXPECT_EQ(world.id_of(), "MACHINE");
  world.environment.variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/creds";
  EXPECT_EQ(world.id_of(), "BOX");
  world.files.put("/token", "jwt\n");
  world.environment.variables.insert({{"AWS_WEB_IDENTITY_TOKEN_FILE", "/token"},
                                      {"AWS_ROLE_ARN", "arn:aws:iam::1:role/r"},
                                      {"AWS_REGION", "eu-west-1"}});
  EXPECT_EQ(world.id_of(), "WEB");
}

TEST(AwsAccount, AProfileThatIsNamedGoesBeforeTheWebIdentityOfTheEnvironment) {
  AccountWorld world;
  std::string asked;
  world.http.answer = [&](const HttpRequest& request) -> Result<HttpResponse> {
    asked = request.body;
    return HttpResponse{
        200, {}, R"({"AssumeRoleWithWebIdentityResponse":{"AssumeRoleWithWebIdentityResult":{"Credentials":
        {"AccessKeyId":"WEB","SecretAccessKey":"s","SessionToken":"t"}}}})"};
  };
  world.files.put("/token", "pods\n");
  world.files.put("/mine", "mine\n");
  world.environment.variables.insert({{"AWS_WEB_IDENTITY_TOKEN_FILE", "/token"},
                                      {"AWS_ROLE_ARN", "pods"},
                                      {"AWS_ROLE_SESSION_NAME", "pod"}});
  world.files.put("/home/me/.aws/config",
                  "[profile work]\naws_access_key_id = W\naws_secret_access_key = s\n[profile role]\n"
                  "web_identity_token_file = /mine\nrole_arn = r\nrole_session_name = me\n");
  EXPECT_EQ(world.id_of("work"), "W");
  EXPECT_EQ(asked, "");
  EXPECT_EQ(world.id_of("role"), "WEB");
  EXPECT_NE(asked.find("RoleArn=r&RoleSessionName=me&WebIdentityToken=mine"), std::string::npos) << asked;
  EXPECT_EQ(world.id_of(), "WEB");
  EXPECT_NE(asked.find("RoleArn=pods&RoleSessionName=pod&WebIdentityToken=pods"), std::string::npos) << asked;
}

// When keys that end at `until` are asked for again, as the seconds of that time; or what is told.
std::string asked_again_at(const std::string& until) {
  AccountWorld world;
  world.files.put("/home/me/.aws/config", "[default]\ncredential_process = keys\n");
  world.processes.answer = [&](const Command&) -> Result<ProcessResult> {
    return ProcessResult{0, lent("P", until), ""};
  };
  const std::int64_t begin_s = 2'000'000'000, hour_s = 3600;
  AwsAccount account(world.host);
  world.clock.advance(std::chrono::seconds(begin_s) - std::chrono::nanoseconds(world.clock.now_ns()));
  for (std::int64_t hours = 0; hours < 48; ++hours, world.clock.advance(std::chrono::seconds(hour_s))) {
    const std::size_t before = world.processes.commands().size();
    if (const auto keys = account.keys({}); !keys) return keys.error().message;
    if (hours > 0 && world.processes.commands().size() != before) return cat(hours, " h");
  }
  return "never";
}

TEST(AwsAccount, AnEndIsReadWithItsOffset) {
  EXPECT_EQ(asked_again_at("2033-05-18T15:33:20Z"), "12 h");  // 2 000 000 000 s and twelve hours
  EXPECT_EQ(asked_again_at("2033-05-18T15:33:20.123456Z"), "12 h");
  EXPECT_EQ(asked_again_at("2033-05-18T15:33:20+00:00"), "12 h");
  EXPECT_EQ(asked_again_at("2033-05-18T15:33:20+08:00"), "4 h");
  EXPECT_EQ(asked_again_at("2033-05-18T15:33:20-0530"), "18 h");
}

TEST(AwsAccount, AnEndThatCannotBeReadIsNotForGood) {
  for (const char* end : {"tomorrow", "", "2033-05-18T15:33:20", "2033-05-18T15:33:20.Z",
                          "2033-05-18T15:33:20+8", "2033-05-18T15:33:20Zulu", "2033-05-18T15:33:20+-1:00"})
    EXPECT_EQ(asked_again_at(end),
              cat("`credential_process` gave keys with an `Expiration` that is no time: ", end));
}

TEST(AwsAccount, WithoutAnyWhatWasLookedAtIsTold) {
  AccountWorld world;
  EXPECT_NE(world.id_of().find("No AWS credentials were found"), std::string::npos);
  world.environment.variables["AWS_EC2_METADATA_DISABLED"] = "true";
  const std::size_t asked = world.http.requests().size();
  EXPECT_NE(world.id_of().find("No AWS credentials were found"), std::string::npos);
  EXPECT_EQ(world.http.requests().size(), asked);
}

}  // namespace
}  // namespace trainmake
