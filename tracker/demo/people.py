"""Who is in the demonstration clinic. All of them are invented, and none of the numbers or addresses is anybody's."""

from dataclasses import dataclass, field
from datetime import date

from tracker.rules.vocabulary import IntakeStatus, Role
from tracker.services.setup import NewClinic, NewRoom, NewStaff

ZONE = "America/Denver"
# One phrase for all of them, printed at the first start.
PASSWORD = "seven quiet rivers"
CLOSING = 17 * 60 + 45

CLINIC = NewClinic(
    name="Cottonwood Clinic",
    discreet_name="Cottonwood",
    zone_name=ZONE,
    phone="+15055550100",
    address="14 Mill Lane, Suite 2, Albuquerque, NM 87102",
    hours=(8 * 60, CLOSING),
    rooms=(NewRoom("Sage", "recliner"), NewRoom("Juniper", "recliner"), NewRoom("Mesa", "bed")),
    staff=(
        # Two lanes: the end of one patient's recovery may meet the start of another's infusion.
        NewStaff("Dr A. Hale", "AH", Role.PHYSICIAN, (7 * 60 + 45, CLOSING), "MD", lanes=2),
        NewStaff("J. Adeyemi", "JA", Role.NURSE, (7 * 60 + 45, 16 * 60 + 15), "RN", lanes=2),
        NewStaff("K. Mori", "KM", Role.NURSE, (9 * 60, CLOSING), "RN", lanes=2),
        NewStaff("S. Patel", "SP", Role.NURSE, (10 * 60 + 30, 15 * 60 + 30), "RN"),
        NewStaff("M. Reyes", "MR", Role.COORDINATOR, (7 * 60 + 30, CLOSING)),
    ),
)


@dataclass(frozen=True)
class Account:
    """Somebody who signs in; `staff` is the resource whose account it is."""

    name: str
    role: Role
    staff: str = ""

    @property
    def email(self) -> str:
        """Return the sign-in: "m.reyes@example.org"; who treats nobody signs in as what they are."""
        treats = self.name.removeprefix("Dr ").replace(". ", ".").lower()
        return f"{treats if self.staff else self.role.value}@example.org"


ACCOUNTS = (
    Account("M. Reyes", Role.COORDINATOR, "M. Reyes"),
    Account("J. Adeyemi", Role.NURSE, "J. Adeyemi"),
    Account("K. Mori", Role.NURSE, "K. Mori"),
    Account("S. Patel", Role.NURSE, "S. Patel"),
    Account("Dr A. Hale", Role.PHYSICIAN, "Dr A. Hale"),
    Account("L. Navarro", Role.ADMIN),
    Account("T. Weiss", Role.AUDITOR),
)


@dataclass(frozen=True)
class Person:
    """One patient. `driver` takes the patient home; `kg` is the last weight."""

    family: str
    given: str
    age: int
    diagnosis: str
    kg: int | None = None
    driver: str = ""
    allergies: str = ""
    medicines: str = ""
    language: str = "en"
    texts: bool = False  # agreed to get messages as texts
    status: IntakeStatus = IntakeStatus.CLEARED
    preferred: str = ""
    asked: bool = True  # about allergies
    more: dict[str, str] = field(default_factory=dict)  # therapist, referrer … as the patient form names them

    def born(self, day: date) -> date:
        """Return a birth date that makes this age on `day`; the same month and day for the same name."""
        seed = sum(map(ord, self.family + self.given))
        month, number = seed % 12 + 1, seed % 28 + 1
        return date(day.year - self.age - ((month, number) > (day.month, day.day)), month, number)


_WU = {"therapist_name": "Dr C. Wu, psychologist", "therapist_phone": "+15055550121"}
_LOPEZ = {"therapist_name": "B. Lopez, LCSW", "therapist_phone": "+15055550122"}
_RIOS = {"referrer_name": "Dr M. Rios, psychiatrist", "referrer_phone": "+15055550123"}
_KENT = {"prescriber_name": "Dr P. Kent, family medicine", "prescriber_phone": "+15055550124"}

PEOPLE = {
    person.family: person
    for person in (
        Person("Okafor", "Amara", 41, "Depression, two treatments failed", 82, "Chidi Okafor", more=_WU),
        Person("Haddad", "Yusuf", 52, "PTSD", 88, "Leila Haddad", medicines="prazosin 2 mg", more=_LOPEZ | _RIOS),
        Person(
            "Schmidt",
            "Ursula",
            63,
            "Depression; hypertension",
            72,
            "Karl Schmidt",
            medicines="lisinopril 10 mg\nsertraline 100 mg",
            more=_KENT | _WU,
        ),
        Person("Tran", "Linh", 41, "Depression", 80, "Minh Tran", "latex", medicines="venlafaxine 150 mg", more=_LOPEZ),
        Person("Ibrahim", "Salma", 35, "Depression", 84, "Omar Ibrahim", medicines="bupropion 300 mg", more=_RIOS),
        Person("Bianchi", "Sara", 29, "Depression", 66, "Giulia Bianchi", texts=True, more=_WU | _RIOS),
        Person("Novak", "Petra", 47, "Depression", 70, "Jan Novak", medicines="semaglutide (GLP-1), weekly"),
        Person(
            "Alvarez",
            "Mateo",
            38,
            "Depression",
            94,
            "Lucia Alvarez",
            medicines="lamotrigine 100 mg",
            language="es",
            texts=True,
            more=_RIOS,
        ),
        Person("Fraser", "Isla", 56, "Depression", 60, "Ewan Fraser", more=_LOPEZ | _KENT),
        Person("Petrov", "Dmitri", 44, "Depression", 100, "Olga Petrova", "penicillin", texts=True, more=_WU),
        Person(
            "Brooks",
            "Marcus",
            50,
            "Depression",
            64,
            "Dana Brooks",
            texts=True,
            more=_RIOS | {"emergency_name": "Dana Brooks"},
        ),
        Person("Kaur", "Simran", 24, "Depression", 60, "Jasleen Kaur", medicines="fluoxetine 40 mg", more=_LOPEZ),
        Person("Garcia", "Elena", 58, "PTSD", 76, "Rosa Garcia", language="es", more=_LOPEZ),
        Person("Osei", "Kwame", 39, "Anxiety", 68, "Efua Osei", more=_WU),
        Person("Lindqvist", "Nils", 33, "OCD", 78, "Anna Lindqvist", medicines="fluvoxamine 200 mg", more=_RIOS),
        Person("Nguyen", "Thao", 49, "Depression", 90, "Bao Nguyen", more=_WU),
        Person("Adams", "Ruth", 62, "Depression", 70, "Paul Adams", "sulfa", medicines="oxybutynin 5 mg", more=_KENT),
        Person("Stein", "Jonas", 36, "Depression", 86, "Mia Stein", more=_RIOS),
        Person("Kowalczyk", "Jan", 60, "CRPS, left arm; pain 8 of 10", 80, "Ewa Kowalczyk", more=_KENT),
        Person("Moreau", "Camille", 53, "Neuropathic pain; PEG 7.7", 74, "Luc Moreau", medicines="gabapentin 900 mg"),
        Person("Chen", "Wei", 27, "Depression", 71, "Mei Chen", more=_RIOS),
        Person("Romero", "Alicia", 31, "Depression", None, status=IntakeStatus.CONSULT, more=_KENT),
        Person("Walker", "George", 66, "Depression", None, status=IntakeStatus.NOT_NOW, more=_KENT),
        Person("Singh", "Arjun", 45, "Depression", None, status=IntakeStatus.ENQUIRY, asked=False),
    )
}
