#include "rules/image/registries/http/check_login.h"

#include "engine/base/text.h"
#include "rules/image/registries/http/addressee.h"
#include "rules/image/registries/http/remote.h"

namespace trainmake {

Result<bool> check_login(Host& host, const RemotePlace& place, const Login& login, Tally& tally,
                         const std::stop_token& stop) {
  Remote remote(host, place, tally, nullptr, login);
  if (const Addressee addressee = addressee_of({place.host, remote.url("")}, host.environment);
      addressee.host != place.host)
    return fail(user_error(cat("The login of ", quoted(place.host), " is not tried: ", addressee.advice),
                           "Nothing was sent, and nothing was kept"));
  TRY_ASSIGN(const HttpResponse response,
             remote.send({"GET", remote.url("/v2/"), {}, ""}, {}, Again::kYes, stop));
  if (response.status == 200) return remote.has_said_who();
  if (response.status == 401 || response.status == 403)
    return fail(
        user_error(cat(quoted(place.host), " does not take the login of ", quoted(login.user),
                       ": it answers ", response.status),
                   "Nothing was kept; check the user and the password, or whether it wants an access token")
            .because(Blame::kRemote));
  if (response.status == 404)
    return fail(user_error(cat(quoted(place.host), " is no registry: it does not know `/v2/`"),
                           "Name the host, as `registry.example.com:5000`, or a registry of TRAINSPACE.lua")
                    .because(Blame::kRemote));
  return fail(remote.refusal(response, "log in"));
}

}  // namespace trainmake
