//! Personas: which tools a kind of user sees, derived from phase and risk, never from lists of tool names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::nearest;
use crate::tool::{Phase, Risk, ToolSpec};

/// A kind of user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Persona {
    /// Looks, changes nothing.
    #[default]
    Readonly,
    /// Trains, tunes, registers, and ends own jobs.
    DataScientist,
    /// The same for all jobs, and looks at runtimes and controllers.
    MlEngineer,
    /// Everything.
    PlatformAdmin,
}

impl Persona {
    /// All personas, from the most careful to the most powerful.
    pub const ALL: [Self; 4] = [
        Self::Readonly,
        Self::DataScientist,
        Self::MlEngineer,
        Self::PlatformAdmin,
    ];

    /// The name as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Readonly => "readonly",
            Self::DataScientist => "data-scientist",
            Self::MlEngineer => "ml-engineer",
            Self::PlatformAdmin => "platform-admin",
        }
    }

    /// Whether this persona may use a tool.
    pub fn may(self, spec: &ToolSpec) -> bool {
        if spec.phase == Phase::Platform {
            return self == Self::PlatformAdmin || (self == Self::MlEngineer && spec.risk == Risk::Read);
        }
        spec.risk == Risk::Read || self != Self::Readonly
    }

    /// Whether what others made may be changed too. A data scientist changes only what the same caller made through this
    /// server.
    pub fn changes_all(self) -> bool {
        matches!(self, Self::MlEngineer | Self::PlatformAdmin)
    }

    /// The least persona that may use a tool.
    pub fn least(spec: &ToolSpec) -> Self {
        Self::ALL
            .into_iter()
            .find(|persona| persona.may(spec))
            .unwrap_or(Self::PlatformAdmin)
    }
}

impl fmt::Display for Persona {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Persona {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::as_str);
        Self::ALL
            .into_iter()
            .find(|persona| persona.as_str() == name)
            .ok_or_else(|| {
                let near = nearest(name, names)
                    .map(|near| format!("; did you mean `{near}`?"))
                    .unwrap_or_default();
                format!("unknown persona `{name}`: there are {}{near}", names.join(", "))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_persona_sees_what_phase_and_risk_say() {
        let table = [
            (
                ToolSpec::read("a_read_tool", Phase::Discovery),
                [true, true, true, true],
            ),
            (
                ToolSpec::write("a_train_tool", Phase::Training),
                [false, true, true, true],
            ),
            (
                ToolSpec::destructive("a_delete_tool", Phase::Lifecycle),
                [false, true, true, true],
            ),
            (
                ToolSpec::read("a_platform_look", Phase::Platform),
                [false, false, true, true],
            ),
            (
                ToolSpec::write("a_platform_change", Phase::Platform),
                [false, false, false, true],
            ),
        ];
        for (spec, may) in table {
            assert_eq!(Persona::ALL.map(|persona| persona.may(&spec)), may, "{}", spec.name);
        }
    }

    #[test]
    fn an_unknown_persona_lists_those_there_are() {
        let said = "readony".parse::<Persona>().unwrap_err();
        assert_eq!(
            said,
            "unknown persona `readony`: there are readonly, data-scientist, ml-engineer, platform-admin; did you mean `readonly`?"
        );
    }
}
