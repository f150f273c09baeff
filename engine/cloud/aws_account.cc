#include "engine/cloud/aws_account.h"

#include <ctime>
#include <nlohmann/json.hpp>

#include "engine/base/encoding.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMargin = 300 * kSecond;  // before they end, temporary keys are asked for again
constexpr const char* kMachine = "http://169.254.169.254";
constexpr const char* kContainer = "http://169.254.170.2";
constexpr const char* kIdentities = "https://sts.amazonaws.com";

std::string field(const IniSection& section, const char* name) {
  const auto found = section.find(name);
  return found == section.end() ? "" : found->second;
}

// East of UTC: `Z`, `+08:00` or `-0530`.
std::optional<std::int64_t> offset_s(std::string_view zone) {
  if (zone == "Z") return 0;
  std::string digits(zone);
  if (digits.size() == 6 && digits[3] == ':') digits.erase(3, 1);
  if (digits.size() != 5 || (digits[0] != '+' && digits[0] != '-')) return std::nullopt;
  const auto hours = whole_number<std::uint8_t>(std::string_view(digits).substr(1, 2));
  const auto minutes = whole_number<std::uint8_t>(std::string_view(digits).substr(3));
  if (!hours || !minutes || *minutes > 59) return std::nullopt;
  const std::int64_t east = (*hours * 60 + *minutes) * 60;
  return digits[0] == '-' ? -east : east;
}

// `2026-11-22T08:25:53Z`, with a fraction perhaps, which is left out, or with an offset as `+08:00` in place
// of the Z; nothing of any other text.
std::optional<std::int64_t> time_ns(const std::string& text) {
  std::tm there{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &there);
  if (end == nullptr) return std::nullopt;
  std::string_view zone(end);
  if (zone.starts_with('.')) {
    const std::size_t digits = zone.substr(1).find_first_not_of("0123456789");
    if (digits == 0 || digits == zone.npos) return std::nullopt;
    zone.remove_prefix(1 + digits);
  }
  const auto east_s = offset_s(zone);
  if (!east_s) return std::nullopt;
  return (static_cast<std::int64_t>(::timegm(&there)) - *east_s) * kSecond;
}

// When what an answer lends ends; 0 where it does not say, which is never.
Result<std::int64_t> end_of(const Json& answer, const std::string& whom) {
  if (!answer.contains("Expiration") || answer["Expiration"].is_null()) return 0;
  const Json& end = answer["Expiration"];
  if (end.is_number()) return static_cast<std::int64_t>(end.get<double>()) * kSecond;
  const std::string said = end.is_string() ? end.get<std::string>() : end.dump();
  if (const auto time = time_ns(said)) return *time;
  return fail(user_error(cat(whom, " gave keys with an `Expiration` that is no time: ", printable(said)),
                         "It is to be as `2026-11-22T08:25:53Z`, or with `+08:00` in place of the Z")
                  .because(Blame::kRemote));
}

Error nobody(const std::string& profile) {
  return user_error(cat("No AWS credentials were found: not in the environment, not in profile ",
                        quoted(profile), " of ~/.aws, and nobody here gives out a role's"),
                    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`")
      .because(Blame::kRemote)
      .lasting();
}

}  // namespace

AwsAccount::AwsAccount(Host& host, std::string profile) : host_(host), asked_profile_(std::move(profile)) {}

// Both files have settings of one profile; those of `credentials` go before those of `config`.
Result<void> AwsAccount::read_profile() {
  if (profile_) return {};
  const Environment& environment = host_.environment;
  const std::string home = environment.get("HOME").value_or("");
  profile_name_ =
      asked_profile_.empty() ? environment.get("AWS_PROFILE").value_or("default") : asked_profile_;
  const std::string config =
      environment.get("AWS_CONFIG_FILE").value_or(home.empty() ? "" : path_join(home, ".aws/config"));
  const std::string credentials = environment.get("AWS_SHARED_CREDENTIALS_FILE")
                                      .value_or(home.empty() ? "" : path_join(home, ".aws/credentials"));
  IniSection merged;
  bool is_there = false;
  const auto take = [&](const std::string& path, const std::string& section) -> Result<void> {
    if (path.empty()) return {};
    TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(host_.files, path));
    const auto sections = parse_ini(text.value_or(""));
    const auto found = sections.find(section);
    if (found == sections.end()) return {};
    is_there = true;
    for (const auto& [name, value] : found->second) merged[name] = value;
    return {};
  };
  TRY(take(config, profile_name_ == "default" ? profile_name_ : cat("profile ", profile_name_)));
  TRY(take(credentials, profile_name_));
  if (!is_there && profile_name_ != "default")
    return fail(user_error(cat("There is no AWS profile ", quoted(profile_name_)),
                           cat("It would be in ", quoted(credentials), " or ", quoted(config)))
                    .because(Blame::kRemote));
  profile_ = std::move(merged);
  return {};
}

Result<std::string> AwsAccount::region() {
  const std::lock_guard lock(mutex_);
  TRY(read_profile());
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (const auto value = host_.environment.get(name); value && !value->empty()) return *value;
  }
  return field(*profile_, "region");
}

Result<AwsKeys> AwsAccount::keys(const std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  if (lent_ && (lent_->until_ns == 0 || host_.clock.now_ns() < lent_->until_ns - kMargin)) return lent_->keys;
  TRY_ASSIGN(lent_, find(stop));
  if (!lent_) return fail(nobody(profile_name_));
  return lent_->keys;
}

Redactor AwsAccount::redactor() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> secrets;
  if (lent_) secrets = {lent_->keys.secret.reveal(), lent_->keys.token.reveal()};
  std::erase(secrets, "");
  return Redactor(secrets);
}

AwsAccount::Found AwsAccount::find(const std::stop_token& stop) {
  TRY(read_profile());
  if (asked_profile_.empty()) {
    if (std::optional<Lent> found = of_environment()) return found;
  }
  for (const auto ask : {&AwsAccount::of_web_identity, &AwsAccount::of_profile, &AwsAccount::of_container,
                         &AwsAccount::of_machine}) {
    TRY_ASSIGN(std::optional<Lent> found, (this->*ask)(stop));
    if (found) return found;
  }
  return std::optional<Lent>();
}

std::optional<AwsAccount::Lent> AwsAccount::of_environment() const {
  const auto get = [&](const char* name) { return host_.environment.get(name).value_or(""); };
  AwsKeys keys{get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY"), get("AWS_SESSION_TOKEN")};
  if (keys.id.empty() || keys.secret.empty()) return std::nullopt;
  return Lent{std::move(keys), 0};
}

AwsAccount::Found AwsAccount::of_profile(const std::stop_token& stop) {
  const IniSection& profile = *profile_;
  AwsKeys keys{field(profile, "aws_access_key_id"), field(profile, "aws_secret_access_key"),
               field(profile, "aws_session_token")};
  if (!keys.id.empty() && !keys.secret.empty()) return std::optional(Lent{std::move(keys), 0});
  if (const std::string program = field(profile, "credential_process"); !program.empty()) {
    TRY_ASSIGN(const ProcessResult done,
               host_.processes.run({{"/bin/sh", "-c", program}, host_.environment.variables, "/"}, stop));
    if (done.exit_code != 0)
      return fail(user_error(cat("The `credential_process` of AWS profile ", quoted(profile_name_),
                                 " ended with exit code ", done.exit_code),
                             "Run it by hand to see why: what it says may hold keys, and is not shown")
                      .because(Blame::kRemote));
    return parse(done.output, "`credential_process`");
  }
  for (const char* way : {"role_arn", "sso_session", "sso_start_url"}) {
    if (field(profile, way).empty()) continue;
    return fail(
        user_error(cat("AWS profile ", quoted(profile_name_), " has keys by `", way,
                       "`, which only AWS's own tool can ask for"),
                   cat("Run `eval \"$(aws configure export-credentials --profile ", profile_name_,
                       " --format env)\"` first, or have a profile with `credential_process = aws configure "
                       "export-credentials --profile ",
                       profile_name_, "`"))
            .because(Blame::kRemote));
  }
  return std::optional<Lent>();
}

// The environment's, unless the profile was asked for by its name; else the profile's own.
AwsAccount::Found AwsAccount::of_web_identity(const std::stop_token& stop) {
  const auto get = [&](const char* name) { return host_.environment.get(name).value_or(""); };
  std::string file, role, session;
  if (asked_profile_.empty()) {
    file = get("AWS_WEB_IDENTITY_TOKEN_FILE");
    role = get("AWS_ROLE_ARN");
    session = get("AWS_ROLE_SESSION_NAME");
  }
  if (file.empty() || role.empty()) {
    file = field(*profile_, "web_identity_token_file");
    role = field(*profile_, "role_arn");
    session = field(*profile_, "role_session_name");
  }
  if (file.empty() || role.empty()) return std::optional<Lent>();
  TRY_ASSIGN(const std::string token, read_file(host_.files, file));
  const std::string region = get("AWS_REGION");
  std::string endpoint = get("AWS_ENDPOINT_URL_STS");
  if (endpoint.empty())
    endpoint = region.empty() ? kIdentities : cat("https://sts.", region, ".amazonaws.com");
  if (session.empty()) session = "trainmake";
  HttpRequest request;
  request.method = "POST";
  request.url = cat(endpoint, "/");
  request.headers = {{"Accept", "application/json"}, {"Content-Type", "application/x-www-form-urlencoded"}};
  request.body =
      cat("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=", percent_encoded(role),
          "&RoleSessionName=", percent_encoded(session), "&WebIdentityToken=", percent_encoded(trim(token)));
  TRY_ASSIGN(const HttpResponse response, ask(request, "AWS STS", stop));
  const Json json = parse_json<Json>(response.body);
  const Json* at = &json;
  for (const char* name :
       {"AssumeRoleWithWebIdentityResponse", "AssumeRoleWithWebIdentityResult", "Credentials"}) {
    if (!at->is_object() || !at->contains(name))
      return fail(
          user_error(cat("AWS STS gave no credentials for role ", quoted(role))).because(Blame::kRemote));
    at = &(*at)[name];
  }
  Lent lent{{text_at(*at, "AccessKeyId"), text_at(*at, "SecretAccessKey"), text_at(*at, "SessionToken")}, 0};
  TRY_ASSIGN(lent.until_ns, end_of(*at, "AWS STS"));
  return std::optional(std::move(lent));
}

AwsAccount::Found AwsAccount::of_container(const std::stop_token& stop) {
  const auto get = [&](const char* name) { return host_.environment.get(name).value_or(""); };
  std::string url = get("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (const std::string path = get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); !path.empty())
    url = cat(kContainer, path);
  if (url.empty()) return std::optional<Lent>();
  HttpRequest request;
  request.url = url;
  std::string token = get("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (const std::string file = get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); !file.empty()) {
    TRY_ASSIGN(token, read_file(host_.files, file));
  }
  if (!token.empty()) request.headers = {{"Authorization", std::string(trim(token))}};
  TRY_ASSIGN(const HttpResponse response, ask(request, "the container's credentials", stop));
  return parse(response.body, "the container's agent");
}

// Version 2 of its protocol. Where nobody answers this is no such machine.
AwsAccount::Found AwsAccount::of_machine(const std::stop_token& stop) {
  const auto get = [&](const char* name) { return host_.environment.get(name).value_or(""); };
  if (get("AWS_EC2_METADATA_DISABLED") == "true") return std::optional<Lent>();
  std::string address = get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (address.empty()) address = kMachine;
  while (address.ends_with('/')) address.pop_back();
  HttpRequest request;
  request.method = "PUT";
  request.url = cat(address, "/latest/api/token");
  request.headers = {{"X-aws-ec2-metadata-token-ttl-seconds", "21600"}};
  request.connect_within = std::chrono::milliseconds(1000);
  const Result<HttpResponse> token = host_.http.send(request, stop);
  if (stop.stop_requested()) return fail(interrupted_error());
  if (!token || token->status != 200) return std::optional<Lent>();
  const std::string folder = cat(address, "/latest/meta-data/iam/security-credentials/");
  request = {};
  request.url = folder;
  request.headers = {{"X-aws-ec2-metadata-token", token->body}};
  const Result<HttpResponse> roles = host_.http.send(request, stop);
  if (!roles || roles->status != 200) return std::optional<Lent>();
  const std::string role(trim(std::string_view(roles->body).substr(0, roles->body.find('\n'))));
  if (role.empty()) return std::optional<Lent>();
  request.url = cat(folder, role);
  TRY_ASSIGN(const HttpResponse response, ask(request, "the machine's role", stop));
  return parse(response.body, "the machine's role");
}

Result<HttpResponse> AwsAccount::ask(const HttpRequest& request, const std::string& whom,
                                     const std::stop_token& stop) {
  TRY_ASSIGN(HttpResponse response, host_.http.send(request, stop));
  if (response.status == 200) return response;
  return fail(user_error(cat("Cannot get ", whom, ": status ", response.status)).because(Blame::kRemote));
}

// The form that processes, containers and machines give keys in.
AwsAccount::Found AwsAccount::parse(const std::string& text, const std::string& whom) const {
  const Json json = parse_json<Json>(text);
  Lent lent{{text_at(json, "AccessKeyId"), text_at(json, "SecretAccessKey"), text_at(json, "SessionToken")},
            0};
  if (lent.keys.token.empty()) lent.keys.token = text_at(json, "Token");
  if (lent.keys.id.empty() || lent.keys.secret.empty())
    return fail(user_error(cat(whom, " gave no keys")).because(Blame::kRemote));
  TRY_ASSIGN(lent.until_ns, end_of(json, whom));
  return std::optional(std::move(lent));
}

}  // namespace trainmake
