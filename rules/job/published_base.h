// Images that UAI-Train publishes to build on, as far as their names tell what is in them. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/model/graph.h"

namespace trainmake {

inline constexpr std::string_view kCaffe = "caffe";

// Of `.../gpu_uaitrain_ubuntu-14.04_python-2.7.6_caffe-1.0.0:v1.0` the accelerator and `caffe`.
struct PublishedBase {
  std::string accelerator, framework;
};
// Nothing of a base of somebody's own.
std::optional<PublishedBase> parse_published_base(std::string_view reference);

// By what its image is built on in the end; on a base of somebody's own a job with a `solver` is one of
// caffe, and of another nothing is known: "".
std::string framework_of(const Graph& graph, const Target& job);

}  // namespace trainmake
