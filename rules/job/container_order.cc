#include "rules/job/container_order.h"

#include <algorithm>

#include "engine/base/text.h"
#include "engine/container/runtime.h"

namespace trainmake {
namespace {

// What else an order says: one that was written before there were gpus in containers says nothing of them.
enum Said : std::uint8_t { kNetwork = 1, kGpus = 2, kWanted = 4 };

}  // namespace

void encode(const ContainerOrder& order, Encoder& encoder) {
  encoder.byte(static_cast<std::uint8_t>(order.runtime.kind));
  encoder.string(order.runtime.program);
  encoder.string(order.layers_folder);
  encoder.strings(order.layers);
  encoder.string(order.user);
  encoder.byte(static_cast<std::uint8_t>((order.network ? kNetwork : 0) | (order.gpus ? kGpus : 0) |
                                         (order.wanted.empty() ? 0 : kWanted)));
  if (order.gpus) encoder.string(order.gpus->cdi);
  if (!order.wanted.empty()) encoder.string(order.wanted);
  encoder.number(order.mounts.size());
  for (const ContainerMount& mount : order.mounts) {
    encoder.string(mount.source);
    encoder.string(mount.at);
    encoder.byte(mount.writable ? 1 : 0);
  }
}

ContainerOrder decode_container_order(Decoder& decoder) {
  ContainerOrder order;
  order.runtime.kind = static_cast<Runtime::Kind>(decoder.byte());
  order.runtime.program = decoder.string();
  order.layers_folder = decoder.string();
  order.layers = decoder.strings();
  order.user = decoder.string();
  const std::uint8_t said = decoder.byte();
  order.network = (said & kNetwork) != 0;
  if ((said & kGpus) != 0) order.gpus = ContainerGpus{std::string(decoder.string())};
  if ((said & kWanted) != 0) order.wanted = decoder.string();
  order.mounts.resize(decoder.count(17));
  for (ContainerMount& mount : order.mounts) {
    mount.source = decoder.string();
    mount.at = decoder.string();
    mount.writable = decoder.byte() != 0;
  }
  return order;
}

const Folders& folders_in_container() {
  static const Folders folders = {
      "/code", "/data", "/output", "/checkpoint", "/log", "/home/job", "/run/trainmake/params.json"};
  return folders;
}

std::string view_in_container(std::size_t number) { return cat("/run/trainmake/data/", number); }

std::vector<Error> wrong_runtime(const Value& name) {
  const std::vector<std::string>& known = runtime_names();
  if (std::find(known.begin(), known.end(), *name.string()) != known.end()) return {};
  const std::string meant = did_you_mean(*name.string(), known);
  return {user_error(cat("No containers are started by ", quoted(*name.string()), " here"),
                     meant.empty() ? cat("Write one of ", join(known, ", "), ", or nothing") : meant)
              .at({"", name.line})};
}

}  // namespace trainmake
