#include "rules/job/container_layout.h"

#include "engine/base/file_system.h"
#include "engine/base/text.h"
#include "rules/job/container_order.h"
#include "rules/job/contract_layout.h"

namespace trainmake {
namespace {

constexpr std::string_view kInContainer = " in a container";
constexpr std::string_view kWithNetwork = " with a network";

// Of those so far, the one that is seen at `path`, or in which that lies.
const ContainerMount* mount_over(const std::vector<ContainerMount>& mounts, const std::string& path) {
  const ContainerMount* innermost = nullptr;
  for (const ContainerMount& mount : mounts) {
    if (path_below(path, mount.at) && (innermost == nullptr || mount.at.size() >= innermost->at.size()))
      innermost = &mount;
  }
  return innermost;
}

void add_mount(ContainerMount mount, ContainerLayout& layout) {
  const ContainerMount* outer = mount_over(layout.mounts, mount.at);
  if (outer != nullptr && outer->at != mount.at)
    layout.points.push_back(path_join(outer->source, *path_below(mount.at, outer->at)));
  layout.mounts.push_back(std::move(mount));
}

void add_file(const std::string& path, std::string text, const std::string& places, ContainerLayout& layout) {
  if (const ContainerMount* outer = mount_over(layout.mounts, path)) {
    layout.files.emplace_back(path_join(outer->source, *path_below(path, outer->at)), std::move(text));
    return;
  }
  layout.files.emplace_back(places + path, std::move(text));
  layout.mounts.push_back({places + path, path});
}

}  // namespace

ContainerLayout layout_in_container(const Contract& contract, const JobSpec& spec, const Folders& here,
                                    const std::string& places, const Rank& rank) {
  const Folders& usual = folders_in_container();
  ContainerLayout layout;
  layout.folders = folders_below(contract, usual, "");
  layout.has_own_code = layout.folders.code != usual.code;
  // By the first two a run's output and checkpoint are found, whatever the contract.
  layout.mounts = {{here.output, usual.output, true},
                   {here.checkpoint, usual.checkpoint, true},
                   {here.home, usual.home, true},
                   {here.params, usual.params}};
  if (!contract.places) add_mount({here.log, usual.log, true}, layout);
  // Without data, what the image has there stays to be seen.
  if (!contract.places && !spec.data.empty()) add_mount({here.data, usual.data}, layout);
  for (const ContractLayout::Link& place : places_of(contract, usual, "")) {
    if (place.to == usual.code && layout.has_own_code) add_mount({here.code, place.at, true}, layout);
    if (place.to == usual.data && !spec.data.empty()) add_mount({here.data, place.at}, layout);
    if (place.to == usual.output) add_mount({here.output, place.at, true}, layout);
    if (place.to == usual.checkpoint) add_mount({here.checkpoint, place.at, true}, layout);
    if (place.to == usual.log) add_mount({here.log, place.at, true}, layout);
  }
  for (auto& [path, text] : render_files(contract, spec, layout.folders, rank))
    add_file(path, std::move(text), places, layout);
  return layout;
}

Contract contract_in_container(Contract contract, bool network, const std::string& variant) {
  contract.version += cat(kInContainer, network ? kWithNetwork : "", variant.empty() ? "" : " ", variant);
  return contract;
}

ContractTold told_by(std::string_view contract_version) {
  const std::size_t end = contract_version.rfind(kInContainer);
  const std::string_view itself = contract_version.substr(0, end);
  ContractTold told{std::string(itself.substr(0, itself.rfind('/'))), end != contract_version.npos, "",
                    std::string(itself)};
  if (!told.in_container) return told;
  std::string_view rest = contract_version.substr(end + kInContainer.size());
  if (rest.starts_with(kWithNetwork)) rest.remove_prefix(kWithNetwork.size());
  told.variant = trim(rest);
  return told;
}

std::string ContractTold::text() const {
  return cat(name, in_container ? kInContainer : "", variant.empty() ? "" : ", ", variant);
}

RenderedJob render_in_container(const Contract& contract, const JobSpec& spec, const Folders& folders,
                                const std::string& path, const Rank& rank) {
  CHECK(spec.root.has_value());
  const auto of_image = spec.root->environment.find("PATH");
  RenderedJob job = render(contract, spec, folders,
                           of_image == spec.root->environment.end() ? path : of_image->second, rank);
  job.environment.insert(spec.root->environment.begin(), spec.root->environment.end());
  return job;
}

}  // namespace trainmake
