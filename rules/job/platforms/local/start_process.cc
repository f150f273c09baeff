#include "rules/job/platforms/local/start_process.h"

#include <utility>

namespace trainmake {
namespace {

constexpr int kSignalled = 128, kSignals = 64;  // as shells and runtimes have it

}  // namespace

void give_gpus(const std::vector<Gpu>& gpus, Order& order) {
  if (order.container) {
    if (order.container->gpus) order.container->gpus->given = names_of(gpus);
    return;
  }
  order.job.environment.merge(variables_of(gpus));
  if (!order.distribution) return;
  for (const Task& task : tasks_of(*order.distribution)) {
    const std::vector<Gpu> here = task.serves
                                      ? std::vector<Gpu>()
                                      : gpus_of_node(gpus, static_cast<std::size_t>(task.node),
                                                     static_cast<std::size_t>(order.distribution->nodes));
    order.tasks[static_cast<std::size_t>(task.rank)].environment.merge(variables_of(here));
  }
}

namespace {

// Of several processes, with the gpus of its node alone.
ContainerOrder container_of(const Order& order, const Task* task) {
  ContainerOrder container = *order.container;
  if (!task || !container.gpus) return container;
  if (task->serves) {
    container.gpus.reset();
    return container;
  }
  const std::vector<GpuName>& all = order.container->gpus->given;
  const std::size_t each = all.size() / static_cast<std::size_t>(order.distribution->nodes);
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(task->node) * each);
  container.gpus->given = {first, first + static_cast<std::ptrdiff_t>(each)};
  return container;
}

}  // namespace

Result<StartedProcess> start_process(Host& host, const Order& order, const RenderedJob& job,
                                     const Secrets& secrets, const std::string& scratch, Streams streams,
                                     const Task* task) {
  if (order.container) {
    TRY_ASSIGN(StartedContainer started, start_in_container(host, container_of(order, task), job, secrets,
                                                            scratch, streams, marks_of(order)));
    return StartedProcess{std::move(started.layers), std::move(started.child)};
  }
  ChildRequest request{job.arguments, job.environment, job.folder, order.read_only};
  for (const auto& [name, value] : secrets) request.environment[name] = value;
  request.interactive = streams == Streams::kOurs;
  request.seen = order.seen;
  TRY_ASSIGN(Child child, Child::start(request));
  return StartedProcess{{}, std::move(child)};
}

void EndRequest::ask(Child& child) {
  if (in_container_) {
    in_container_->ask();
  } else if (!std::exchange(is_asked_, true)) {
    child.ask_to_end();
  }
}

ChildEnd job_end_of(const Order& order, ChildEnd end) {
  const int number = end.exit_code - kSignalled;
  if (order.container && end.signal == 0 && number > 0 && number <= kSignals) end.signal = number;
  return end;
}

}  // namespace trainmake
