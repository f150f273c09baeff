// The numbers by which UAI-Train calls modes, machines and stores: looked up where the job is to run, and
// kept for a day. Thread rule: any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/host.h"
#include "rules/job/platforms/uai/uai_api.h"
#include "rules/job/platforms/uai/uai_request.h"

namespace trainmake {

struct UaiWants {
  std::string node_type;  // `1-P40`
  std::int64_t nodes = 1;
  bool is_on_ufs = false;
  std::string framework = {};  // whose processes are told of each other: "TensorFlow"; "" is none
};

class UaiLookUps {
 public:
  // `folder` is below the cache.
  UaiLookUps(Host& host, UaiApi& api, std::string folder)
      : host_(host), api_(api), folder_(std::move(folder)) {}

  // An error says what there is.
  Result<UaiIds> of(const UaiWants& wants, const Patience& waiting = {});
  // They were refused: whoever asks next looks them up anew.
  void forget();

 private:
  struct Question {
    std::string action;
    UCloudParameters parameters;
    std::string doing;
  };
  using Names = std::vector<UaiNamed>;
  using Parse = std::function<Result<Names>(const std::string& body)>;
  Result<std::int64_t> id_of(const Question& question, const Parse& parse, const std::string& name,
                             const std::string& what, const Patience& waiting);
  Result<Names> ask(const Question& question, const Parse& parse, const std::string& kept_at,
                    const Patience& waiting);

  Host& host_;
  UaiApi& api_;
  std::string folder_;
  std::mutex mutex_;              // guards what follows
  std::optional<Error> trouble_;  // of the last call, for all who ask soon after it
  std::int64_t trouble_until_ns_ = 0;
  std::map<std::string, std::int64_t> asked_ns_;  // by where its answer is kept: steady, when that came
};

}  // namespace trainmake
