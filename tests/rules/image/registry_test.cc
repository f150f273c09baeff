#include "rules/image/registries/http/http_registry.h"
#include "rules/image/registries/layout/layout.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/fake_registry.h"
#include "tests/support/registry_conformance.h"

namespace trainmake {
namespace {

constexpr const char* kUrl = "https://r.example.com";

struct World {
  MemFileSystem files;
  FakeProcesses processes;
  FakeHttp http;
  FakeClock clock;
  Environment environment;
  Host host{files, processes, http, clock, environment};
  Tally tally;
  FakeRegistry fake{kUrl};

  World() {
    http.answer = [this](const HttpRequest& request) { return fake.answer(request); };
  }
  ~World() { EXPECT_TRUE(fake.wrong.empty()) << fake.wrong.front(); }
};

// The parts of a world, which lives as long as any of them.
RegistryUnderTest under_test(const std::shared_ptr<World>& world, std::unique_ptr<Registry> registry) {
  struct Together {
    std::shared_ptr<World> world;
    std::unique_ptr<Registry> registry;
  };
  const auto together = std::make_shared<Together>(Together{world, std::move(registry)});
  return {{world, &world->files}, {together, together->registry.get()}};
}

template <auto change>
RegistryUnderTest over_http() {
  const auto world = std::make_shared<World>();
  change(world->fake.quirks);
  return under_test(world, make_remote_registry(world->host, {"r.example.com"}, world->tally));
}

RegistryUnderTest in_layout() {
  const auto world = std::make_shared<World>();
  return under_test(world, make_layout(world->host, {"/w", "/w/.trainmake", ""}));
}

using Quirks = FakeRegistry::Quirks;
void none(Quirks&) {}
void whole_locations(Quirks& quirks) { quirks.locations = FakeRegistry::Locations::kWhole; }
void relative_locations(Quirks& quirks) { quirks.locations = FakeRegistry::Locations::kRelative; }
void tells_little(Quirks& quirks) {
  quirks.tells_digests = quirks.tells_upload_state = quirks.knows_ranges = false;
}
void large_pieces(Quirks& quirks) { quirks.least_piece = 50'000'000; }
void small_bodies(Quirks& quirks) { quirks.most_at_once = 3'000'000; }
void half_pieces(Quirks& quirks) { quirks.takes_of_piece = 20'000'000, quirks.piece_status = 204; }

INSTANTIATE_TEST_SUITE_P(Layout, RegistryConformance, testing::Values(&in_layout));
INSTANTIATE_TEST_SUITE_P(Http, RegistryConformance, testing::Values(&over_http<none>));
INSTANTIATE_TEST_SUITE_P(HttpWithWholeLocations, RegistryConformance,
                         testing::Values(&over_http<whole_locations>));
INSTANTIATE_TEST_SUITE_P(HttpWithRelativeLocations, RegistryConformance,
                         testing::Values(&over_http<relative_locations>));
INSTANTIATE_TEST_SUITE_P(HttpThatTellsLittle, RegistryConformance, testing::Values(&over_http<tells_little>));
INSTANTIATE_TEST_SUITE_P(HttpOfLargePieces, RegistryConformance, testing::Values(&over_http<large_pieces>));
INSTANTIATE_TEST_SUITE_P(HttpOfSmallBodies, RegistryConformance, testing::Values(&over_http<small_bodies>));
INSTANTIATE_TEST_SUITE_P(HttpThatTakesPartOfAPiece, RegistryConformance,
                         testing::Values(&over_http<half_pieces>));

}  // namespace
}  // namespace trainmake
