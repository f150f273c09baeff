#include "rules/job/platforms/local/run_folder.h"

#include <nlohmann/json.hpp>

#include "engine/base/codec.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

// Not JSON: paths and arguments may hold any bytes.
constexpr std::string_view kOrderMagic = "tm-order-1\n";

void encode_strings(const std::vector<std::string>& strings, Encoder& encoder) {
  encoder.number(strings.size());
  for (const std::string& string : strings) encoder.string(string);
}

std::vector<std::string> decode_strings(Decoder& decoder) {
  std::vector<std::string> strings(decoder.count(8));
  for (std::string& string : strings) string = decoder.string();
  return strings;
}

}  // namespace

std::string render(const Order& order) {
  std::string out(kOrderMagic);
  Encoder encoder(out);
  encode_strings(order.job.arguments, encoder);
  encoder.number(order.job.environment.size());
  for (const auto& [name, value] : order.job.environment) {
    encoder.string(name);
    encoder.string(value);
  }
  encoder.string(order.job.folder);
  encoder.number(order.read_only.size());
  for (const ReadOnlyFolder& view : order.read_only) {
    encoder.string(view.folder);
    encoder.string(view.at);
  }
  encode_strings(order.secrets, encoder);
  encoder.number(static_cast<std::uint64_t>(order.timeout_s));
  return out;
}

std::optional<Order> parse_order(std::string_view bytes) {
  if (!bytes.starts_with(kOrderMagic)) return std::nullopt;
  Decoder decoder(bytes.substr(kOrderMagic.size()));
  Order order;
  order.job.arguments = decode_strings(decoder);
  for (std::uint64_t left = decoder.count(16); left > 0 && decoder.ok(); --left) {
    const std::string_view name = decoder.string();
    order.job.environment.insert_or_assign(std::string(name), std::string(decoder.string()));
  }
  order.job.folder = decoder.string();
  order.read_only.resize(decoder.count(16));
  for (ReadOnlyFolder& view : order.read_only) {
    view.folder = decoder.string();
    view.at = decoder.string();
  }
  order.secrets = decode_strings(decoder);
  order.timeout_s = static_cast<std::int64_t>(decoder.number());
  if (!decoder.at_end() || order.job.arguments.empty()) return std::nullopt;
  return order;
}

std::string render(const Start& start) {
  return cat(start.supervisor, " ", start.when_ns, " ", start.birth, " ", start.boot, " ", start.folder,
             "\n");
}

std::optional<Start> parse_start(std::string_view text) {
  const std::vector<std::string> words = split(trim(text), ' ');
  if (words.size() < 2) return std::nullopt;
  const auto supervisor = whole_number<int>(words[0]);
  const auto when_ns = whole_number<std::int64_t>(words[1]);
  if (!supervisor || !when_ns) return std::nullopt;
  Start start{*supervisor, *when_ns, 0, {}, 0};
  if (words.size() < 4) return start;  // as it was written before there was a session in it
  const auto birth = whole_number<std::uint64_t>(words[2]);
  const auto folder = whole_number<std::uint64_t>(words.size() > 4 ? words[4] : "0");
  if (!birth || !folder) return std::nullopt;
  start.birth = *birth;
  start.boot = words[3];
  start.folder = *folder;
  return start;
}

std::string render(const Exit& exit) {
  nlohmann::ordered_json json = {{"exit_code", exit.end.exit_code}, {"signal", exit.end.signal},
                                 {"started_ns", exit.started_ns},   {"ended_ns", exit.ended_ns},
                                 {"cancelled", exit.cancelled},     {"timed_out_s", exit.timed_out_s},
                                 {"error", printable(exit.error)}};
  return json.dump() + "\n";
}

std::optional<Exit> parse_exit(std::string_view text) {
  const nlohmann::json json = parse_json<nlohmann::json>(text);
  if (!json.is_object()) return std::nullopt;
  const auto number = [&](const char* name) {
    return json.contains(name) && json[name].is_number_integer() ? json[name].get<std::int64_t>() : 0;
  };
  if (!json.contains("exit_code")) return std::nullopt;
  Exit exit;
  exit.end = {static_cast<int>(number("exit_code")), static_cast<int>(number("signal"))};
  exit.started_ns = number("started_ns");
  exit.ended_ns = number("ended_ns");
  exit.cancelled = json.contains("cancelled") && json["cancelled"] == true;
  exit.timed_out_s = number("timed_out_s");
  if (json.contains("error") && json["error"].is_string()) exit.error = json["error"].get<std::string>();
  return exit;
}

JobStatus status_of(const Exit& exit) {
  JobStatus status;
  status.started_ns = exit.started_ns;
  status.ended_ns = exit.ended_ns;
  status.exit_code = exit.end.exit_code;
  status.status = RunStatus::kFailed;
  if (exit.cancelled) {
    status.status = RunStatus::kCancelled;
    status.reason = "cancelled";
  } else if (exit.timed_out_s > 0) {
    status.reason = cat("timed out after ", human_duration(exit.timed_out_s * 1000));
  } else if (!exit.error.empty()) {
    status.reason = exit.error;
  } else if (exit.end.signal != 0) {
    status.reason =
        cat("killed by signal ", exit.end.signal, exit.end.signal == 9 ? " (out of memory?)" : "");
  } else if (exit.end.exit_code != 0) {
    status.reason = cat("exit code ", exit.end.exit_code);
  } else {
    status.status = RunStatus::kSucceeded;
  }
  return status;
}

std::string variable_of_secret(std::string_view name) { return cat("TRAINMAKE_SECRET_", name); }

}  // namespace trainmake
