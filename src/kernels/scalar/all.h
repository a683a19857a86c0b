// SPDX-License-Identifier: Apache-2.0
#pragma once

// The specification of every kernel of kernels.inc. Kernels are called through kernels.h; these are for the files that
// make a form of all of them, and for tests.

#include "kernels/scalar/add.h"
#include "kernels/scalar/cast.h"
#include "kernels/scalar/codes.h"
#include "kernels/scalar/dither.h"
#include "kernels/scalar/draw.h"
#include "kernels/scalar/factors.h"
#include "kernels/scalar/kept.h"
#include "kernels/scalar/natural.h"
#include "kernels/scalar/norm.h"
#include "kernels/scalar/positions.h"
#include "kernels/scalar/sign.h"
#include "kernels/scalar/strata.h"
#include "kernels/scalar/topk.h"
#include "kernels/scalar/toss.h"
