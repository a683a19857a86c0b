// SPDX-License-Identifier: Apache-2.0
#include "collective/group_laws.h"

namespace gradwire {
namespace {

GRADWIRE_GROUP_CONFORMANCE(ThreadGroup, MakeThreadCollectives)

}  // namespace
}  // namespace gradwire
