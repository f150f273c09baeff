#include "rules/job/order_codec.h"

namespace trainmake {

void encode(const RenderedJob& job, Encoder& encoder) {
  encoder.strings(job.arguments);
  encoder.number(job.environment.size());
  for (const auto& [name, value] : job.environment) {
    encoder.string(name);
    encoder.string(value);
  }
  encoder.string(job.folder);
}

RenderedJob decode_job(Decoder& decoder) {
  RenderedJob job;
  job.arguments = decoder.strings();
  for (std::uint64_t left = decoder.count(16); left > 0 && decoder.ok(); --left) {
    const std::string_view name = decoder.string();
    job.environment.insert_or_assign(std::string(name), std::string(decoder.string()));
  }
  job.folder = decoder.string();
  return job;
}

}  // namespace trainmake
