// What whoever starts a job in a container of its image needs to know of that, and where the job finds its
// parts in there. Pure: names, render, parse.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/base/codec.h"
#include "engine/base/error.h"
#include "engine/container/container.h"
#include "engine/container/nvidia.h"
#include "engine/model/value.h"
#include "rules/job/contract.h"

namespace trainmake {

// Those that a job gets of the machine that its container is started on.
struct ContainerGpus {
  std::string cdi;                  // a folder of that machine's CDI files; "" is where they usually lie
  std::vector<GpuName> given = {};  // by the bus; whoever starts it knows them, and no order does
};

struct ContainerOrder {
  Runtime runtime;                  // of the machine that it was written for
  std::string layers_folder;        // of unpacked layers
  std::vector<std::string> layers;  // DiffIDs in hex, the top one first
  std::string user;                 // as the image's config names it
  bool network = false;
  std::vector<ContainerMount> mounts;
  std::optional<ContainerGpus> gpus = {};  // it asks for some
  std::string wanted = {};                 // the only runtime that will do, where it is found out later
};
void encode(const ContainerOrder& order, Encoder& encoder);
ContainerOrder decode_container_order(Decoder& decoder);

// What is wrong with the `runtime` of a platform.
std::vector<Error> wrong_runtime(const Value& name);

// By the default contract.
const Folders& folders_in_container();
// Where data of one folder of this machine is seen, to which links among the job's data lead.
std::string view_in_container(std::size_t number);

}  // namespace trainmake
