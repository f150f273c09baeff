// A job as UAI-Train is asked to run it: its command line, and all that the call which creates it says. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/cloud/ucloud_signature.h"
#include "rules/job/contract.h"
#include "rules/job/job_spec.h"
#include "rules/job/platforms/uai/uai_options.h"

namespace trainmake {

// Where its jobs find their folders. REQUIRES: its contract.
Folders folders_of_uai(const Contract& contract);

// What follows `/usr/bin/python` there, in front of the flags that the service adds itself.
Result<std::string> render_docker_cmd(const JobSpec& spec, const Contract& contract);

// `4-P40`: four of P40.
std::optional<std::int64_t> accelerators_of(std::string_view node_type);
// Out of `resources`; an error says what to write there.
Result<std::string> node_type_of(const Table& resources);

// How long it may take: `hours`, else the job's timeout, rounded up.
Result<std::int64_t> hours_of(const Table& resources, std::int64_t timeout_s);

// As the service calls what tells a job's processes of each other; "" of one node, and of two that is an
// error.
Result<std::string> distributed_framework(const Table& distribution, const Table& resources);

// Where its nodes get the image. Refused when it lies where they get none.
Result<std::string> uhub_path_of(const std::string& pulled, const UaiOptions& options);

struct UaiIds {
  std::int64_t mode = 0, machine = 0, backend = 0, framework = 0;  // of the last, 0 is none
};
struct UaiCreation {
  std::string name, image, data_url, output_url, command, memo;
  std::int64_t hours = 0, nodes = 1;
  UaiIds ids;
};
// Of CreateUAITrainJob, but for what every call has.
UCloudParameters render_creation(const UaiCreation& job, const UaiOptions& options, const UCloudKeys& keys);

}  // namespace trainmake
