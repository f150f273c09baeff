#include "rules/job/platforms/local/run_folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/codec.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "rules/job/contracts.h"
#include "rules/job/order_codec.h"
#include "rules/job/process_names.h"

namespace trainmake {
namespace {

constexpr std::string_view kOrderMagic = "tm-order-2\n";
constexpr std::string_view kOrderMagicBefore = "tm-order-1\n";  // without `seen`

void encode_gpus(const GpuRequest& request, Encoder& encoder) {
  encoder.number(request.count);
  encoder.string(request.path);
  encoder.byte(request.visible ? 1 : 0);
  encoder.string(request.visible.value_or(""));
  encoder.string(request.queue);
}

GpuRequest decode_gpus(Decoder& decoder) {
  GpuRequest request;
  request.count = decoder.number();
  request.path = decoder.string();
  const bool is_restricted = decoder.byte() != 0;
  const std::string visible(decoder.string());
  if (is_restricted) request.visible = visible;
  request.queue = decoder.string();
  return request;
}

void encode_distribution(const Distribution& distribution, Encoder& encoder) {
  encoder.number(static_cast<std::uint64_t>(distribution.kind));
  for (const std::int64_t count : {distribution.nodes, distribution.per_node, distribution.servers,
                                   distribution.workers, distribution.launched})
    encoder.number(static_cast<std::uint64_t>(count));
  encoder.string(distribution.chief);
  encoder.string(distribution.all_hosts);
  encoder.strings(distribution.mpi_options);
}

std::optional<Distribution> decode_distribution(Decoder& decoder) {
  constexpr std::uint64_t kMost = 1'000'000;
  Distribution distribution;
  const std::uint64_t kind = decoder.number();
  if (kind > static_cast<std::uint64_t>(Distribution::Kind::kDmlc)) return std::nullopt;
  distribution.kind = static_cast<Distribution::Kind>(kind);
  for (std::int64_t* count : {&distribution.nodes, &distribution.per_node, &distribution.servers,
                              &distribution.workers, &distribution.launched}) {
    const std::uint64_t number = decoder.number();
    if (number > kMost) return std::nullopt;
    *count = static_cast<std::int64_t>(number);
  }
  distribution.chief = decoder.string();
  distribution.all_hosts = decoder.string();
  distribution.mpi_options = decoder.strings();
  return distribution;
}

}  // namespace

std::string render(const Order& order) {
  std::string out(kOrderMagic);
  Encoder encoder(out);
  encode(order.job, encoder);
  encoder.number(order.read_only.size());
  for (const ReadOnlyFolder& view : order.read_only) {
    encoder.string(view.folder);
    encoder.string(view.at);
  }
  encoder.strings(order.secrets);
  encoder.number(static_cast<std::uint64_t>(order.timeout_s));
  encoder.byte(order.container ? 1 : 0);
  if (order.container) encode(*order.container, encoder);
  encoder.byte(order.gpus ? 1 : 0);
  if (order.gpus) encode_gpus(*order.gpus, encoder);
  encoder.number(order.limits.memory_bytes);
  encoder.real(order.limits.cpus);
  encoder.number(order.seen.size());
  for (const SeenFolder& each : order.seen) {
    encoder.string(each.folder);
    encoder.string(each.at);
  }
  if (!order.distribution) return out;
  encode_distribution(*order.distribution, encoder);
  encoder.number(order.tasks.size());
  for (const RenderedJob& task : order.tasks) encode(task, encoder);
  return out;
}

std::optional<Order> parse_order(std::string_view bytes) {
  const bool has_seen = bytes.starts_with(kOrderMagic);
  if (!has_seen && !bytes.starts_with(kOrderMagicBefore)) return std::nullopt;
  Decoder decoder(bytes.substr(kOrderMagic.size()));
  Order order;
  order.job = decode_job(decoder);
  order.read_only.resize(decoder.count(16));
  for (ReadOnlyFolder& view : order.read_only) {
    view.folder = decoder.string();
    view.at = decoder.string();
  }
  order.secrets = decoder.strings();
  order.timeout_s = static_cast<std::int64_t>(decoder.number());
  // An order that was written before there were containers ends here.
  if (!decoder.at_end()) {
    if (decoder.byte() != 0) order.container = decode_container_order(decoder);
    if (decoder.byte() != 0) order.gpus = decode_gpus(decoder);
    order.limits.memory_bytes = decoder.number();
    order.limits.cpus = decoder.real();
  }
  if (has_seen) order.seen.resize(decoder.count(16));
  for (SeenFolder& each : order.seen) {
    each.folder = decoder.string();
    each.at = decoder.string();
  }
  // What follows is there for several processes alone.
  if (!decoder.at_end()) {
    order.distribution = decode_distribution(decoder);
    if (!order.distribution) return std::nullopt;
    order.tasks.resize(decoder.count(24));
    for (RenderedJob& task : order.tasks) task = decode_job(decoder);
    if (order.tasks.size() != static_cast<std::uint64_t>(order.distribution->size())) return std::nullopt;
  }
  if (!decoder.at_end() || order.job.arguments.empty()) return std::nullopt;
  return order;
}

std::string folder_named(const Order& order, const std::string& variable) {
  const auto named = order.job.environment.find(variable);
  if (named == order.job.environment.end()) return "";
  if (!order.container) return named->second;
  const auto& mounts = order.container->mounts;
  const auto mount = std::find_if(mounts.begin(), mounts.end(),
                                  [&](const ContainerMount& each) { return each.at == named->second; });
  return mount == mounts.end() ? "" : mount->source;
}

std::string checkpoint_of(const Order& order) {
  return order.seen.empty() ? folder_named(order, kCheckpointFolder) : order.seen.front().folder;
}

std::map<std::string, std::string> marks_of(const Order& order) {
  const auto run = order.job.environment.find(kRunVariable);
  const std::string output = folder_named(order, kOutputFolder);
  if (run == order.job.environment.end() || output.empty()) return {};
  return {{run->first, run->second}, {kOutputFolder, output}};
}

std::map<std::string, std::string> marks_of(const RunFolder& run) {
  return {{kRunVariable, std::string(path_name(run.top))}, {kOutputFolder, run.output()}};
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
  nlohmann::ordered_json json = {{"exit_code", exit.end.exit_code},     {"signal", exit.end.signal},
                                 {"started_ns", exit.started_ns},       {"ended_ns", exit.ended_ns},
                                 {"cancelled", exit.cancelled},         {"timed_out_s", exit.timed_out_s},
                                 {"out_of_memory", exit.out_of_memory}, {"error", printable(exit.error)}};
  if (!exit.task.empty()) json["task"] = exit.task;
  if (exit.log_lost > 0) json["log_lost"] = exit.log_lost;
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
  exit.out_of_memory = static_cast<std::uint64_t>(number("out_of_memory"));
  exit.log_lost = static_cast<std::uint64_t>(number("log_lost"));
  if (json.contains("error") && json["error"].is_string()) exit.error = json["error"].get<std::string>();
  if (json.contains("task") && json["task"].is_string()) exit.task = json["task"].get<std::string>();
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
  } else if (exit.out_of_memory > 0 && exit.end.exit_code != 0) {
    status.reason = cat("out of memory: it may use ", human_bytes(exit.out_of_memory));
  } else if (exit.end.exit_code != 0) {
    status.reason = reason_of(exit.task, how_it_ended(exit.end));
  } else {
    status.status = RunStatus::kSucceeded;
  }
  if (exit.log_lost > 0) {
    status.reason += cat(status.reason.empty() ? "" : "; ", "up to ", human_bytes(exit.log_lost),
                         " of its log were lost, as they could not be written");
  }
  return status;
}

std::string how_it_ended(const ChildEnd& end) {
  if (end.signal == 0) return cat("exit code ", end.exit_code);
  return cat("killed by signal ", end.signal, end.signal == 9 ? " (out of memory?)" : "");
}

std::string variable_of_secret(std::string_view name) { return cat("TRAINMAKE_SECRET_", name); }

}  // namespace trainmake
