#include "rules/job/platforms/slurm/node_order.h"

#include "engine/base/text.h"
#include "rules/job/order_codec.h"

namespace trainmake {
namespace {

constexpr std::string_view kMagic = "tm-node-1\n";

}  // namespace

std::vector<GpuName> gpus_named_by_slurm(const Environment& environment) {
  std::vector<GpuName> gpus;
  for (const char* variable : {"SLURM_STEP_GPUS", "SLURM_JOB_GPUS", "CUDA_VISIBLE_DEVICES"}) {
    for (const std::string& word : split(environment.get(variable).value_or(""), ',')) {
      if (const auto number = whole_number<int>(trim(word))) gpus.push_back({*number, "", *number});
    }
    if (!gpus.empty()) break;
  }
  return gpus;
}

std::string render(const NodeOrder& order) {
  std::string out(kMagic);
  Encoder encoder(out);
  encode(order.job, encoder);
  encoder.strings(order.secrets);
  encode(order.container, encoder);
  return out;
}

std::optional<NodeOrder> parse_node_order(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return std::nullopt;
  Decoder decoder(bytes.substr(kMagic.size()));
  NodeOrder order;
  order.job = decode_job(decoder);
  order.secrets = decoder.strings();
  order.container = decode_container_order(decoder);
  if (!decoder.at_end() || order.job.arguments.empty()) return std::nullopt;
  return order;
}

}  // namespace trainmake
